import { lookup } from "node:dns/promises";
import { type Endpoint, formatEndpoint, ipFamily } from "#/base/ip.ts";
import type { Logger } from "#/base/log.ts";
import type { ClientOptions } from "#/client/index.ts";
import { CliError } from "./errors.ts";
import { stateFolder } from "./folders.ts";
import type { CliIo } from "./io.ts";
import type { SettingName, SettingValues } from "./settings.ts";

/** Settings of every command that opens a client. */
export const networkSettings = [
  "peer",
  "listen",
  "port",
  "tracker",
  "noTracker",
  "down",
  "up",
  "maxPeers",
  "state",
] as const satisfies readonly SettingName[];
export type NetworkOptions = SettingValues<(typeof networkSettings)[number]>;

/** What the client is opened with. @throws {CliError} CLI_BAD_VALUE when addresses to listen at contradict each other */
export function clientOptions(options: NetworkOptions, io: Pick<CliIo, "env" | "signal">, logger: Logger): ClientOptions {
  const ports = listeningPorts(options);
  return {
    ...(options.listen !== undefined && { hosts: options.listen.map(({ host }) => host) }),
    ...(ports !== undefined && { ports }),
    stateFolder: options.state ?? stateFolder(io.env),
    ...(options.maxPeers !== undefined && { maxPeers: options.maxPeers, maxPeersPerTorrent: options.maxPeers }),
    ...((options.down ?? 0) > 0 && { downRate: options.down }),
    ...((options.up ?? 0) > 0 && { upRate: options.up }),
    logger,
    signal: io.signal,
  };
}

/** A client listens at one port on all its addresses; ranges are tried from their beginning. */
function listeningPorts({ listen = [], port }: NetworkOptions): readonly number[] | undefined {
  const named = [...new Set(listen.flatMap((address) => address.port ?? []))];
  if (named.length > 1)
    throw new CliError("CLI_BAD_VALUE", `--listen: one port is wanted for all addresses, and these are ${named.join(" and ")}`);
  if (named.length === 1) return named;
  if (typeof port === "number") return [port];
  if (port === undefined) return undefined;
  const [first, last] = port;
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** The peers of `--peer` as the client takes them: names are looked up. @throws {CliError} CLI_BAD_ADDRESS when a name has no address */
export async function peerAddresses(peers: readonly Endpoint[] = []): Promise<readonly string[]> {
  const resolved = peers.map(async ({ host, port }) => {
    if (ipFamily(host) !== undefined) return [formatEndpoint({ host, port })];
    try {
      const found = await lookup(host, { all: true });
      return found.map(({ address }) => formatEndpoint({ host: address, port }));
    } catch (error) {
      throw new CliError("CLI_BAD_ADDRESS", `--peer: ${host} has no address`, { cause: error });
    }
  });
  return (await Promise.all(resolved)).flat();
}
