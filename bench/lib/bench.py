"""Shared pieces of the benchmark harness: isolation, process accounting,
payloads, torrents, a one-peer tracker, tables.  Standard library only."""
import hashlib, http.server, json, mmap, os, platform, random, select, shutil, signal
import socket, statistics, subprocess, sys, threading, time, urllib.parse

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TICK = os.sysconf('SC_CLK_TCK')


def node():
    """The Node that runs Freshet and WebTorrent: BENCH_NODE, else the checkout's own, else the one in PATH."""
    p = os.environ.get('BENCH_NODE', os.path.join(HERE, '../node_modules/node/bin/node'))
    return os.path.abspath(p) if os.path.exists(p) else shutil.which('node')


def isolate():
    """Re-run this script in private network and pid namespaces.

    The network namespace has one interface, lo, so nothing a client does can
    leave the machine, its byte counters are ours alone, and no port clashes.
    The pid namespace ends with the script, so nothing is left running.
    BENCH_NETNS=0 turns this off (lo counters are then shared)."""
    if os.environ.get('BENCH_INNER') or os.environ.get('BENCH_NETNS') == '0':
        return
    cmd = ['unshare', '--net', '--pid', '--fork', '--kill-child', '--mount-proc']
    if os.geteuid() != 0:
        cmd.append('--map-root-user')
    os.environ['BENCH_INNER'] = '1'
    os.environ.setdefault('BENCH_NODE', node())
    os.execvp('unshare', cmd + ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh',
                                sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]])


# ---------------------------------------------------------------- processes

def _stat(pid):
    with open(f'/proc/{pid}/stat') as f:
        return f.read().rpartition(')')[2].split()


def tree(root):
    """Pids of root and all its live descendants."""
    kids = {}
    for d in os.listdir('/proc'):
        if d.isdigit():
            try:
                kids.setdefault(int(_stat(d)[1]), []).append(int(d))
            except OSError:
                pass
    out, todo = [], [root]
    while todo:
        p = todo.pop()
        out.append(p)
        todo += kids.get(p, [])
    return out


def usage(root):
    """CPU seconds, memory (KiB) and context switches of a process tree, so far."""
    u = dict(user=0.0, sys=0.0, hwm=0, anon=0, vcs=0, ics=0, threads=0)
    for p in tree(root):
        try:
            s = _stat(p)
            u['user'] += (int(s[11]) + int(s[13])) / TICK
            u['sys'] += (int(s[12]) + int(s[14])) / TICK
            with open(f'/proc/{p}/status') as f:
                st = dict(l.split(':', 1) for l in f.read().splitlines() if ':' in l)
            u['hwm'] += int(st.get('VmHWM', '0 kB').split()[0])
            u['anon'] += int(st.get('RssAnon', '0 kB').split()[0])
            for t in os.listdir(f'/proc/{p}/task'):
                u['threads'] += 1
                with open(f'/proc/{p}/task/{t}/status') as f:
                    for l in f:
                        if l.startswith('voluntary'):
                            u['vcs'] += int(l.split()[1])
                        elif l.startswith('nonvoluntary'):
                            u['ics'] += int(l.split()[1])
        except (OSError, KeyError):
            pass
    u['cpu'] = u['user'] + u['sys']
    return u


def anon_kib(pid):
    """Anonymous memory of one process now: files mapped into it do not count."""
    try:
        with open(f'/proc/{pid}/status') as f:
            for l in f:
                if l.startswith('RssAnon'):
                    return int(l.split()[1])
    except OSError:
        pass
    return 0


def net_losses():
    """(UDP datagrams dropped at a full socket buffer, TCP segments sent again)."""
    with open('/proc/net/snmp') as f:
        v = [l.split() for l in f]
    d = {(a[0], k): int(x) for a, b in zip(v[::2], v[1::2]) for k, x in zip(a[1:], b[1:])}
    return d['Udp:', 'RcvbufErrors'], d['Tcp:', 'RetransSegs']


def stop(proc, grace=5):
    """End one process we started, and what it started, by pid."""
    if proc is None:
        return
    pids = tree(proc.pid) if proc.poll() is None else []
    for sig, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, 2)):
        for p in pids:
            try:
                os.kill(p, sig)
            except OSError:
                pass
        try:
            proc.wait(wait)
            sig = signal.SIGKILL
        except subprocess.TimeoutExpired:
            continue
        for p in pids:          # children that outlived their parent
            try:
                os.kill(p, signal.SIGKILL)
            except OSError:
                pass
        return


def warm_memory(size):
    """Touch that much free memory and let it go again.

    A virtual machine may hand its free pages back to the host within seconds; using one again then
    costs a fault in the host (here: 1 CPU second a GiB instead of 0.35, and twice the spread).
    Done just before a run, this gives every client pages that the machine really has."""
    with open('/proc/meminfo') as f:
        avail = next(int(l.split()[1]) for l in f if l.startswith('MemAvailable')) * 1024
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000      # MAP_POPULATE
    mmap.mmap(-1, max(1 << 20, min(size, avail * 2 // 3)), flags=flags).close()


def machine_cpu():
    """(busy, steal) seconds of the whole machine since boot."""
    with open('/proc/stat') as f:
        v = [int(x) / TICK for x in f.readline().split()[1:]]
    return sum(v[:3]) + v[5] + v[6], v[7]


def lo_bytes():
    with open('/proc/net/dev') as f:
        for l in f:
            name, _, rest = l.partition(':')
            if name.strip() == 'lo':
                v = rest.split()
                return int(v[0]), int(v[1])
    return 0, 0


class Notify:
    """A FIFO on which a client says READY or DONE (one word a line)."""
    def __init__(self, path):
        if os.path.exists(path):
            os.unlink(path)
        os.mkfifo(path)
        self.path, self.fd = path, os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.words = []

    def poll(self, timeout):
        if select.select([self.fd], [], [], timeout)[0]:
            self.words += os.read(self.fd, 4096).decode(errors='replace').split()
        return self.words

    def close(self):
        os.close(self.fd)
        os.unlink(self.path)


def wait_port(port, udp=False, timeout=10):
    """Wait until something on 127.0.0.1 holds the port."""
    want = f'{port:04X}'
    end = time.time() + timeout
    while time.time() < end:
        for fn in ('udp', 'udp6') if udp else ('tcp', 'tcp6'):
            with open(f'/proc/net/{fn}') as f:
                for l in list(f)[1:]:
                    c = l.split()
                    if c[1].endswith(':' + want) and (udp or c[3] == '0A'):
                        return True
        time.sleep(0.02)
    return False


# ---------------------------------------------------------------- payloads

def parse_payload(spec):
    """'1g', '256m' -> single file; 'files' or 'files:2000:128m' -> many files."""
    unit = {'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30}
    size = lambda s: int(float(s[:-1]) * unit[s[-1].lower()])
    if spec.startswith('files'):
        p = spec.split(':')
        return dict(name=spec.replace(':', '-'), files=int(p[1]) if len(p) > 1 else 2000,
                    size=size(p[2]) if len(p) > 2 else 128 << 20, piece=256 << 10)
    return dict(name='single-' + spec, files=1, size=size(spec), piece=1 << 20)


def make_payload(base, p):
    """Write deterministic random data below base, once.  Returns {path: sha256}."""
    root, sums = os.path.join(base, p['name']), os.path.join(base, p['name'] + '.sums.json')
    if os.path.exists(sums):
        with open(sums) as f:
            return json.load(f)
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(base, exist_ok=True)
    rnd, out = random.Random(1), {}
    if p['files'] == 1:
        plan = [(p['name'], p['size'])]
    else:       # sizes spread over a factor of about 30, mean size/files
        w = [rnd.uniform(0.18, 2.34) ** 2 for _ in range(p['files'])]
        k = p['size'] / sum(w)
        plan = [(f"{p['name']}/d{i // 100:02d}/f{i:04d}.bin", max(1, int(x * k)))
                for i, x in enumerate(w)]
    for path, size in plan:
        full, h = os.path.join(base, path), hashlib.sha256()
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'wb') as f:
            while size:
                b = rnd.randbytes(min(size, 1 << 20))
                f.write(b)
                h.update(b)
                size -= len(b)
        out[path] = h.hexdigest()
    with open(sums, 'w') as f:
        json.dump(out, f)
    return out


def check_payload(base, sums):
    """Names of files under base that are missing or differ."""
    bad = []
    for path, want in sums.items():
        h = hashlib.sha256()
        try:
            with open(os.path.join(base, path), 'rb') as f:
                while b := f.read(1 << 20):
                    h.update(b)
        except OSError:
            pass
        if h.hexdigest() != want:
            bad.append(path)
    return bad


def bencode(x):
    if isinstance(x, int):
        return b'i%de' % x
    if isinstance(x, str):
        x = x.encode()
    if isinstance(x, bytes):
        return b'%d:%s' % (len(x), x)
    if isinstance(x, list):
        return b'l' + b''.join(map(bencode, x)) + b'e'
    items = sorted((k.encode() if isinstance(k, str) else k, v) for k, v in x.items())
    return b'd' + b''.join(bencode(k) + bencode(v) for k, v in items) + b'e'


def make_torrent(base, p, sums, announce, out):
    """A v1, private (BEP 27: no DHT, PEX or LSD) torrent of the payload."""
    pieces, buf = [], b''
    for path in sums:
        with open(os.path.join(base, path), 'rb') as f:
            while b := f.read(p['piece'] - len(buf)):
                buf += b
                if len(buf) == p['piece']:
                    pieces.append(hashlib.sha1(buf).digest())
                    buf = b''
    if buf:
        pieces.append(hashlib.sha1(buf).digest())
    info = {'name': p['name'], 'piece length': p['piece'], 'pieces': b''.join(pieces), 'private': 1}
    size = lambda path: os.path.getsize(os.path.join(base, path))
    if p['files'] == 1:
        info['length'] = size(p['name'])
    else:
        info['files'] = [{'length': size(x), 'path': x.split('/')[1:]} for x in sums]
    with open(out, 'wb') as f:
        f.write(bencode({'announce': announce, 'created by': 'bench', 'info': info}))


class OnePeerTracker:
    """HTTP tracker that tells everyone about one peer, except that peer."""
    def __init__(self, port):
        self.peer, tr = None, self

        class H(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                q = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                peers = b''
                if tr.peer and q.get('port') != [str(tr.peer[1])]:
                    peers = socket.inet_aton(tr.peer[0]) + tr.peer[1].to_bytes(2, 'big')
                body = bencode({'interval': 1800, 'complete': 1, 'incomplete': 1, 'peers': peers})
                self.send_response(200)
                self.send_header('Content-Type', 'text/plain')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *a):
                pass
        self.srv = http.server.ThreadingHTTPServer(('127.0.0.1', port), H)
        self.srv.daemon_threads = True
        threading.Thread(target=self.srv.serve_forever, args=(0.5,), daemon=True).start()


# ---------------------------------------------------------------- reports

def med(rows, key):
    v = [r[key] for r in rows if r.get(key) is not None]
    return statistics.median(v) if v else None


def table(head, rows):
    f = lambda x: '-' if x is None else (f'{x:.2f}' if isinstance(x, float) and x < 10 else
                                        f'{x:.1f}' if isinstance(x, float) and x < 100 else
                                        f'{x:.0f}' if isinstance(x, float) else str(x))
    out = ['| ' + ' | '.join(head) + ' |', '|' + '|'.join(['---'] + ['---:'] * (len(head) - 1)) + '|']
    out += ['| ' + ' | '.join(map(f, r)) + ' |' for r in rows]
    return '\n'.join(out)


def machine():
    cpu = ''
    with open('/proc/cpuinfo') as f:
        for l in f:
            if l.startswith('model name'):
                cpu = l.split(':')[1].strip()
    return dict(cpu=cpu, cores=os.cpu_count(), kernel=platform.release(),
                mem_gib=round(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30, 1))
