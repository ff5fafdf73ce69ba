#!/usr/bin/python3
"""A BitTorrent peer made of libtorrent: settings as JSON in the first argument, events as JSON lines on standard output."""
import json
import sys

import libtorrent as lt

job = json.loads(sys.argv[1])


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


session = lt.session({
    "listen_interfaces": job["listen"],
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    # 1: encrypts when the other side can, goes on in plain text when it cannot; 2: plain text only
    "out_enc_policy": 1 if job["prefersEncryption"] else 2, "in_enc_policy": 1 if job["prefersEncryption"] else 2,
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "allow_multiple_connections_per_ip": True,
    "unchoke_slots_limit": 20,
    "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.error_notification
                  | lt.alert.category_t.storage_notification | lt.alert.category_t.tracker_notification
                  | lt.alert.category_t.connect_notification | lt.alert.category_t.peer_notification,
})

handles = {}
told = set()
for entry in job["torrents"]:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(entry["path"])
    params.save_path = entry["folder"]
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if entry.get("trusted"):        # the data is right, do not hash it first
        params.flags |= lt.torrent_flags.seed_mode
    if "pieces" in entry:           # the only ones wanted
        wanted = set(entry["pieces"])
        params.piece_priorities = [4 if i in wanted else 0 for i in range(params.ti.num_pieces())]
    if "uploadLimit" in entry:      # bytes a second
        params.upload_limit = entry["uploadLimit"]
    handle = session.add_torrent(params)
    handles[str(handle.info_hash())] = handle
    for host, port in entry.get("peers", []):
        handle.connect_peer((host, port))

while True:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        if isinstance(alert, lt.torrent_alert):
            info_hash = str(alert.handle.info_hash())
        if isinstance(alert, lt.listen_succeeded_alert):
            say("listening", port=alert.port)
        elif isinstance(alert, lt.listen_failed_alert):
            say("failed", message=alert.message())
            sys.exit(1)
        elif isinstance(alert, lt.torrent_finished_alert):
            alert.handle.flush_cache()      # answered when every block has been written
        elif isinstance(alert, lt.cache_flushed_alert):
            if alert.handle.status().is_finished and info_hash not in told:
                told.add(info_hash)
                say("complete", infoHash=info_hash, downloaded=alert.handle.status().total_payload_download)
        elif isinstance(alert, lt.peer_disconnected_alert):
            say("disconnected", peer="%s:%d" % alert.endpoint, message=alert.message())
        elif isinstance(alert, (lt.peer_connect_alert, lt.tracker_error_alert, lt.file_error_alert, lt.torrent_error_alert,
                                lt.hash_failed_alert, lt.peer_ban_alert, lt.peer_error_alert)):
            say("alert", kind=type(alert).__name__, message=alert.message())
