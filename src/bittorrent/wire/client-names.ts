/**
 * How the four characters behind the client's code tell its version.
 * - `dotted`: each a number, the fourth left out when it is 0
 * - `three`: the first three are numbers, the fourth is a build or stage
 * - `pairs`: two digits major, two digits minor
 * - `transmission` and `bitcomet`: rules of these programs alone
 */
export type VersionStyle = "dotted" | "three" | "pairs" | "transmission" | "bitcomet" | "none";

export interface ClientName {
  readonly name: string;
  readonly version: VersionStyle;
}

/** Codes of programs that write `-XX1234-` (BEP 20, and what else is met). */
export const azureusClients: ReadonlyMap<string, ClientName> = new Map([
  ...named("dotted", {
    AG: "Ares",
    "A~": "Ares",
    AR: "Arctic",
    AT: "Artemis",
    AV: "Avicora",
    AZ: "Vuze",
    BE: "BitTorrent SDK",
    BG: "BTG",
    BI: "BiglyBT",
    BS: "BTSlave",
    BW: "BitWombat",
    BX: "BittorrentX",
    CT: "CTorrent",
    DE: "Deluge",
    DP: "Propagate Data Client",
    EB: "EBit",
    ES: "Electric Sheep",
    FC: "FileCroc",
    FS: "Freshet",
    FT: "FoxTorrent",
    FW: "FrostWire",
    FX: "Freebox BitTorrent",
    GR: "GetRight",
    GS: "GSTorrent",
    GT: "anacrolix torrent",
    HK: "Hekate",
    HL: "Halite",
    HN: "Hydranode",
    IL: "iLivid",
    JS: "Justseed.it",
    KG: "KGet",
    KT: "KTorrent",
    LC: "LeechCraft",
    LH: "LH-ABC",
    LT: "libtorrent",
    LW: "LimeWire",
    MG: "MediaGet",
    MK: "Meerkat",
    MO: "MonoTorrent",
    MP: "MooPolice",
    MR: "Miro",
    MT: "Moonlight",
    NX: "Net Transport",
    OS: "OneSwarm",
    OT: "OmegaTorrent",
    PD: "Pando",
    PI: "PicoTorrent",
    PT: "Popcorn Time",
    QD: "QQDownload",
    QT: "Qt 4 Torrent example",
    RS: "Rufus",
    RT: "Retriever",
    RZ: "RezTorrent",
    "S~": "Shareaza",
    SB: "Swiftbit",
    SD: "Thunder",
    SM: "SoMud",
    SP: "BitSpirit",
    SS: "SwarmScope",
    ST: "SymTorrent",
    SY: "Synapse",
    SZ: "Shareaza",
    TE: "Terasaur",
    TL: "Tribler",
    TN: "TorrentDotNET",
    TS: "Torrentstorm",
    TT: "TuoTu",
    UL: "uLeecher!",
    VG: "Vagaa",
    WT: "BitLet",
    WY: "FireTorrent",
    XF: "Xfplay",
    XL: "Xunlei",
    XS: "XSwifter",
    XT: "XanTorrent",
    XX: "XTorrent",
    ZO: "Zona",
    ZT: "ZipTorrent",
    lt: "libTorrent (rTorrent)",
    pb: "pbTorrent",
    qB: "qBittorrent",
    st: "SharkTorrent",
  }),
  ...named("three", {
    BT: "BitTorrent",
    FD: "Free Download Manager",
    UE: "µTorrent Embedded",
    UM: "µTorrent Mac",
    UT: "µTorrent",
    UW: "µTorrent Web",
  }),
  ...named("pairs", {
    AX: "BitPump",
    CD: "Enhanced CTorrent",
    FG: "FlashGet",
    LP: "Lphant",
    WD: "WebTorrent Desktop",
    WW: "WebTorrent",
  }),
  ...named("transmission", { TR: "Transmission" }),
  ...named("bitcomet", { BC: "BitComet" }),
  ...named("none", { BF: "Bitflu", BL: "BitLord", BN: "Baidu Netdisk", FL: "Folx" }),
]);

/** First characters of programs that write `T03A0----` (BEP 20, Shadow's style). */
export const shadowClients: ReadonlyMap<string, string> = new Map([
  ["A", "ABC"],
  ["O", "Osprey Permaseed"],
  ["Q", "BTQueue"],
  ["R", "Tribler"],
  ["S", "Shadow's client"],
  ["T", "BitTornado"],
  ["U", "UPnP NAT BitTorrent"],
]);

/** First characters of programs that write `M4-3-6--` (BEP 20, mainline style). */
export const mainlineClients: ReadonlyMap<string, string> = new Map([
  ["M", "BitTorrent"],
  ["Q", "Queen Bee"],
]);

/** Programs with a style of their own: how the beginning of the id looks; the groups joined by points are the version, without zeros in front. */
export const specialClients: readonly (readonly [RegExp, string])[] = [
  [/^A2-(\d+)-(\d+)-(\d+)-/, "aria2"],
  [/^TIX(\d\d)(\d\d)/, "Tixati"],
  [/^-ML(\d)\.(\d+)\.(\d+)/, "MLDonkey"],
  [/^XBT(\d)(\d)(\d)[d-]/, "XBT Client"],
  [/^OP(\d{4})/, "Opera"],
  [/^DNA(\d\d)(\d\d)(\d\d)/, "BitTorrent DNA"],
  [/^AZ2500BT/, "BitTyrant"],
  [/^-BOW/, "Bits on Wheels"],
  [/^-G3/, "G3 Torrent"],
  [/^btpd/, "BT Protocol Daemon"],
  [/^Mbrst(\d)-(\d)-(\d)/, "burst!"],
];

function named(version: VersionStyle, names: Readonly<Record<string, string>>): [string, ClientName][] {
  return Object.entries(names).map(([code, name]) => [code, { name, version }]);
}
