#!/usr/bin/env python3
"""The second verifier of Alibi's certificates, to be read by an auditor: see the documentation page Format.

usage: alibi_verify.py CERTIFICATE EVIDENCE --key VKEY [--witness VKEY]... [--quorum N] [--now NANOSECONDS]
Exit status: 0 ACCEPT, 1 REJECT, 2 ACCEPT WITH GAPS, 64 usage.
"""
import argparse, base64, calendar, hashlib, hmac, json, re, struct, sys, time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ZERO, BIG = bytes(32), 2**63 - 1
W, N, S = r"[!-~]+", r"0|[1-9][0-9]{0,18}", r"[ -~]+"
FIELDS = {  # the records that a certificate rests on; their keys and forms, in order
    "genesis": "origin w log_key w cert_key w",
    "config": "rules h classes h file_systems ws retention n program w binary h kernel w lockdown w",
    "epoch": "number n version n from n to n first_seal n last_seal n entries n events n lost n covered n degraded n "
    "gaps n gap_root h configs ws file_systems ws hazards ws sessions n begun n sessions_root h names_state w names n "
    "names_root h salt_commit h index_root h anchor h?",
    "gap": "from n to n source w reason l",
    "key": "role w old w new w old_signature b new_signature b"}
SHAPES = {  # the objects of the evidence file: n number, s string, b base64, h base64 of 32 bytes
    "file": "format s checkpoint s authority [leaf] configs [s] epochs [epoch] anchors [anchor]",
    "leaf": "record s index n proof [h]", "place": "index n proof [h]",
    "epoch": "record s index n proof [h] salt b session [place]? gaps [s] names [names]? absent [absence]",
    "names": "first n bindings [binding] before [neighbour] after [neighbour]",
    "binding": "nonce h identity b from n to n proof [h]", "neighbour": "tags [h] binding h proof [h]",
    "absence": "scope s class s data b bitmap b siblings [h]", "anchor": "kind s checkpoint s proof [h] by s"}
CERTIFICATE = re.compile(
    r"alibi\.v1/certificate\nlog (W)\nclaim (no-access|no-write|no-exec)\nscope (agent|session:[!-.0-~]{1,200})\n"
    r"target (tree|file|name|ext|glob|inode) (W)\nfrom (N)\nto (N)\nepochs (N) (N)\nsessions (N)\n"
    r"names (N|under-this-name)\n(?:accepted ([a-z0-9-]+(?: [a-z0-9-]+)*)\n)?covered (T)  gaps (N)  lost (N)  "
    r"degraded (T)  anchor-lag-max (T|none)\nevidence (W)\n".replace("W", W).replace("N", f"(?:{N})")
    .replace("T", r"[0-9]+\.[0-9]{9}"))

class Reject(Exception): pass

def need(holds, step, reason):
    if not holds: raise Reject(step, reason)

def H(*parts): return hashlib.sha256(b"".join(parts)).digest()
def mac(key, *parts): return hmac.new(key, b"".join(parts), "sha256").digest()
def u32(data): return struct.pack(">I", len(data)) + data
def leaf(data): return H(b"\0", data)
def bits(data, at): return data[at >> 3] >> (7 - (at & 7)) & 1

def number(text):
    if not re.fullmatch(N, text) or int(text) > BIG: raise ValueError(text)
    return int(text)

def unbase(text, size=None):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text or size not in (None, len(data)): raise ValueError(text)
    return data

def root(leaves):
    if len(leaves) < 2: return leaves[0] if leaves else H()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return H(b"\1", root(leaves[:k]), root(leaves[k:]))

def included(h, index, size, proof, wanted):
    if index >= size: return False
    fn, sn = index, size - 1
    for p in proof:
        if sn == 0: return False
        if fn & 1 or fn == sn:
            h = H(b"\1", p, h)
            while not fn & 1 and fn: fn, sn = fn >> 1, sn >> 1
        else: h = H(b"\1", h, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and h == wanted

def consistent(old, old_root, new, new_root, proof):
    if not 0 < old <= new: return False
    if old == new: return not proof and old_root == new_root
    if not proof: return False
    path = [old_root] + proof if old & (old - 1) == 0 else proof
    fn, sn = old - 1, new - 1
    while fn & 1: fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0: return False
        if fn & 1 or fn == sn:
            fr, sr = H(b"\1", c, fr), H(b"\1", c, sr)
            while not fn & 1 and fn: fn, sn = fn >> 1, sn >> 1
        else: sr = H(b"\1", sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root

def absent(key, bitmap, siblings, wanted):
    h, rest = ZERO, list(siblings)
    for d in range(255, -1, -1):
        s = rest.pop() if bits(bitmap, d) else ZERO
        if h != ZERO or s != ZERO: h = H(b"\3", s, h) if bits(key, d) else H(b"\3", h, s)
    return h == wanted

def is_proof(bitmap, siblings):
    return len(bitmap) == 32 and sum(map(int.bit_count, bitmap)) == len(siblings) and ZERO not in siblings

def is_name(text): return bool(text) and "+" not in text and not re.search(r"\s", text)

def vkey(text):
    name, ident, data = text.split("+", 2)
    data = unbase(data, 33)
    if data[0] not in (1, 4) or not is_name(name) or H(name.encode(), b"\n", data)[:4].hex() != ident:
        raise ValueError(text)
    return name, data[0], data[1:], bytes.fromhex(ident)

def signed(key, signature, message):
    try: Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError): return False
    return True

class Note:
    def __init__(self, data):
        text = data.decode("utf-8")
        if len(data) > 1 << 20 or not text.endswith("\n") or re.search(r"[\0-\x09\x0b-\x1f]", text):
            raise ValueError("note")
        cut = text.rindex("\n\n")
        self.text, self.lines = text[: cut + 1], []
        for line in text[cut + 2 : -1].split("\n"):
            dash, name, payload = line.split(" ", 2)
            if dash != "\u2014" or not is_name(name) or len(unbase(payload)) < 5: raise ValueError("note")
            self.lines.append((name, unbase(payload)))
        if len(self.lines) > 100: raise ValueError("note")

    def signers(self, keys):
        """The known keys that signed, each with the times of its cosignatures; None when one of them did not."""
        found, body = {}, self.text.encode()
        for name, payload in self.lines:
            for key in keys:
                if (key[0], key[3]) != (name, payload[:4]): continue
                rest, message, when = payload[4:], body, 0
                if key[1] == 4:
                    if len(rest) != 72 or rest[0] > 127 or head(self.text) is None: return None
                    when, rest = int.from_bytes(rest[:8], "big"), rest[8:]
                    message = b"cosignature/v1\ntime %d\n" % when + body
                if not signed(key[2], rest, message): return None
                found.setdefault(key, []).append(when)
        return found or None

def head(text):
    lines = text.split("\n")
    try: return (lines[0], number(lines[1]), unbase(lines[2], 32)) if len(lines) == 4 and is_name(lines[0]) else None
    except ValueError: return None

def record(text, kind):
    forms = FIELDS[kind].split()
    lines, out = text.split("\n"), {}
    if len(text) > 65535 or lines[0] != "alibi.v1/" + kind or lines[-1] or len(lines) != len(forms) // 2 + 2:
        raise ValueError(kind)
    for line, key, form in zip(lines[1:], forms[::2], forms[1::2]):
        name, value = line.split(" ", 1)
        if name != key or not re.fullmatch(S, value): raise ValueError(line)
        if form == "n": value = number(value)
        elif form == "w" and " " in value or form == "l" and value != value.strip(" "): raise ValueError(line)
        elif form == "ws":
            value = [] if value == "-" else value.split(" ")
            if "" in value or "-" in value: raise ValueError(line)
        elif form[0] == "h": value = None if form == "h?" and value == "none" else unbase(value, 32)
        elif form == "b": value = unbase(value) if value else None
        out[key] = value
    return out

def read(value, form):
    if form[0] == "[":
        inner = form.rstrip("?")[1:-1]
        if type(value) is not list or form[-1] == "?" and len(value) > 1: raise ValueError(form)
        return [read(each, inner) for each in value]
    if form in SHAPES:
        forms = SHAPES[form].split()
        if type(value) is not dict or sorted(value) != sorted(forms[::2]): raise ValueError(form)
        return {key: read(value[key], kind) for key, kind in zip(forms[::2], forms[1::2])}
    if type(value) is not (int if form == "n" else str): raise ValueError(form)
    return value if form in "ns" else unbase(value, 32 if form == "h" else None)

def pairs(found):
    if len(dict(found)) != len(found): raise ValueError("a key twice")
    return dict(found)

def evidence(data):
    text = data.decode("utf-8")
    if len(data) > 1 << 28 or "\\" in re.sub(r'\\[n"\\]', "", text): raise ValueError("evidence")
    file = read(json.loads(text, object_pairs_hook=pairs, parse_int=number, parse_float=number,
                           parse_constant=number), "file")
    if file["format"] != "alibi.v1/evidence": raise ValueError("format")
    for a in (a for e in file["epochs"] for a in e["absent"]):
        if not is_proof(a["bitmap"], a["siblings"]) or a["class"] not in list("FDBXIJGfdbxijg"): raise ValueError("proof")
    for a in file["anchors"]:
        if a["kind"] not in ("witness", "rfc3161"): raise ValueError("anchor")
        if a["kind"] == "rfc3161": unbase(a["by"])
    return file

def certificate(text):
    m = CERTIFICATE.fullmatch(text)
    keys = "log claim scope kind data from to first last sessions names accepted covered gaps lost degraded lag evidence"
    c = dict(zip(keys.split(), m.groups()))
    for key in "from to first last sessions gaps lost".split(): c[key] = number(c[key])
    for key in "covered degraded lag".split():
        if key == "lag" and c[key] == "none": c[key] = None; continue
        whole, part = c[key].split(".")
        if number(whole) >= 9 * 10**9: raise ValueError(key)
        c[key] = number(whole) * 10**9 + int(part)
    c["names"] = None if c["names"] == "under-this-name" else number(c["names"])
    c["accepted"] = (c["accepted"] or "").split()
    c["evidence"], c["data"] = unbase(c["evidence"], 32), unbase(c["data"])
    kind, data = c["kind"], c["data"]
    parts = data.split(b"/")
    bad = {"name": b"/" in data or 0 in data or data in (b".", b".."), "glob": False, "inode": len(data) != 28,
           "ext": b"/" in data or b"." in data or 0 in data}.get(
        kind, parts[0] != b"" or 0 in data or data != b"/" and any(p in (b"", b".", b"..") for p in parts[1:]))
    if bad or not 0 < len(data) <= 8192 or c["from"] >= c["to"] or c["first"] > c["last"] \
            or sorted(set(c["accepted"])) != c["accepted"]: raise ValueError("certificate")
    return c

def stamp(token):
    """The digest and time of an RFC 3161 token; for its signature ask openssl ts -verify."""
    def inside(data, *tags):
        for tag in tags:
            size, at = data[1], 2
            if size > 127: at += size & 127; size = int.from_bytes(data[2:at], "big") if 2 < at < 7 else len(data)
            if data[0] != tag or len(data) < at + size: raise ValueError("DER")
            value, rest = data[at : at + size], data[at + size :]
            data = rest
        return value, rest
    oid = lambda data, want: need(inside(data, 6)[0].hex() == want, 8, "a token is of another kind") or inside(data, 6)[1]
    content, rest = inside(token, 0x30)
    need(not rest, 8, "bytes behind a token")
    content = inside(inside(oid(content, "2a864886f70d010702"), 0xA0)[0], 0x30)[0]
    content = oid(inside(content, 2, 0x31, 0x30)[0], "2a864886f70d0109100104")
    body, rest = inside(inside(content, 0xA0)[0], 4)
    body, rest = inside(body, 0x30)
    need(not rest and inside(body, 2)[0] == b"\1", 8, "a token is of another version")
    imprint, rest = inside(body, 2, 6, 0x30)
    algorithm, digest = inside(imprint, 0x30)
    oid(algorithm, "608648016503040201")
    m = re.fullmatch(r"([0-9]{14})(\.[0-9]+)?Z", inside(rest, 2, 0x18)[0].decode())
    return inside(digest, 4)[0], calendar.timegm(time.strptime(m[1], "%Y%m%d%H%M%S")) + bool(m[2])

def tags(salt, path):
    cuts = [i for i in range(1, len(path)) if path[i] == 47] + [len(path)] if len(path) > 1 else []
    return [mac(salt, b"alibi.v1/name\0", u32(path[:cut])) for cut in cuts]

def identities(e, r, c):
    if c["names"] is None or c["kind"] not in ("tree", "file"):
        need(not e["names"], 7, "names were opened that the claim does not need")
        return []
    need(e["names"] and r["names_state"] == "complete", 7, "the names are not those sealed")
    n, mine = e["names"][0], tags(e["salt"], c["data"])
    first, end, out = n["first"], n["first"] + len(n["bindings"]), []
    need(end <= r["names"] and len(n["before"]) == (first > 0) and len(n["after"]) == (end < r["names"])
         and (r["names"] or r["names_root"] == H()), 7, "the names are not all")
    def holds(at, tags, binding, proof):
        data = b"alibi.v1/names\0" + struct.pack(">H", len(tags)) + b"".join(tags) + binding
        need(included(leaf(data), at, r["names"], proof, r["names_root"]), 7, "a name is not sealed")
    for at, b in enumerate(n["bindings"], first):
        span = struct.pack(">QQ", b["from"], b["to"])
        holds(at, mine, mac(b["nonce"], b"alibi.v1/binding\0", b["identity"], span), b["proof"])
        need(len(b["identity"]) == 28 and b["identity"][:8].hex() in r["file_systems"], 7, "not watched")
        if b["identity"] not in out: out.append(b["identity"])
    for at, x, fits in [(first - 1, x, x["tags"] < mine) for x in n["before"]] + \
            [(end, x, mine < x["tags"]) for x in n["after"]]:
        need(fits and len(x["tags"]) < 65536, 7, "a neighbour is out of order")
        holds(at, x["tags"], x["binding"], x["proof"])
    return out

def union(gaps, begin, end):
    total = 0
    for g in sorted(gaps, key=lambda g: g["from"]):
        if min(g["to"], end) > max(g["from"], begin):
            total += min(g["to"], end) - max(g["from"], begin)
            begin = min(g["to"], end)
    return total

def ascending(words): return sorted(set(words)) == words

def epochs(file, c, keys, witnesses, now, final, sealed):
    origin, size, top = final
    step, all_epochs, last = 5, [], None
    try:
        for e in file["epochs"]:
            need(sealed(e), 5, "an epoch is not in the log")
            r = record(e["record"], "epoch")
            need(r["names_state"] in ("complete", "partial") and r["version"] == 1, 5, "an epoch of an unknown version")
            need(r["from"] < r["to"] <= now and r["first_seal"] <= r["last_seal"], 5, "an epoch's times")
            need(not last or (r["number"], r["from"], r["first_seal"]) == (last[1]["number"] + 1, last[1]["to"],
                 last[1]["last_seal"] + 1) and e["index"] > last[0]["index"], 5, "an epoch is missing or doubled")
            need(len(e["salt"]) == 32 and H(b"alibi.v1/salt\0", e["salt"]) == r["salt_commit"], 6, "another salt")
            last = e, r
            all_epochs.append(last)
        need(last and (all_epochs[0][1]["number"], last[1]["number"]) == (c["first"], c["last"]), 5, "other epochs")
        first = all_epochs[0][1]
        need(first["from"] <= c["from"] < first["to"] and last[1]["from"] < c["to"] <= last[1]["to"], 5, "the interval")
        need(all(ascending(r["hazards"]) and ascending(r["file_systems"]) and
                 all(re.fullmatch("[a-z0-9-]+", h) for h in r["hazards"]) for _, r in all_epochs), 5, "out of order")
        step, known, names = 6, c["scope"] == "agent", 0
        for e, r in all_epochs:
            for place in e["session"]:
                need(c["scope"] != "agent" and included(leaf(c["scope"][8:].encode()), place["index"], r["sessions"],
                     place["proof"], r["sessions_root"]), 6, "the session is not among those of an epoch")
                known = True
            ids = identities(e, r, c)
            scopes = [c["scope"] + {"no-access": "", "no-write": "/write", "no-exec": "/exec"}[c["claim"]]]
            scopes += ["unattributed"] * ("unattributed" not in c["accepted"])
            scopes += ["hazard:" + h for h in r["hazards"] if h not in c["accepted"]]
            facts = [(k, c["data"]) for k in {"tree": "FD", "file": "F", "name": "B", "ext": "X", "glob": "G",
                                              "inode": "IJ"}[c["kind"]]]
            facts += [(k, i) for i in ids for k in ("IJ" if c["kind"] == "tree" else "I")]
            need([(a["scope"], a["class"], a["data"]) for a in e["absent"]] == [(s, *f) for s in scopes for f in facts],
                 6, "the absences are not exactly those that the claim needs")
            for a in e["absent"]:
                scope = a["scope"].encode()
                key = mac(e["salt"], b"alibi.v1/key\0", a["class"].encode(), struct.pack(">H", len(scope)), scope,
                          u32(a["data"]))
                need(absent(key, a["bitmap"], a["siblings"], r["index_root"]), 6, "an absence is not proven")
            names += len(e["names"][0]["bindings"]) if e["names"] else 0
        need(known, 6, "no epoch knows the session")
        step, touching, configs = 7, [], []
        need(c["names"] is None or c["kind"] in ("tree", "file"), 7, "a target that is no path has no names")
        for e, r in all_epochs:
            gaps = [record(g, "gap") for g in e["gaps"]]
            need(all(g["from"] <= g["to"] for g in gaps) and len(gaps) == r["gaps"]
                 and root([leaf(g.encode()) for g in e["gaps"]]) == r["gap_root"], 7, "the gaps are not those sealed")
            need(r["covered"] == r["to"] - r["from"] - union(gaps, r["from"], r["to"]) and r["begun"] <= r["sessions"]
                 and r["degraded"] <= r["to"] - r["from"] and r["configs"], 7, "coverage is not what the gaps leave")
            touching += [g for g in gaps if g["from"] < c["to"] and g["to"] > c["from"] and g not in touching]
            configs += [x for x in dict.fromkeys(r["configs"]) if x not in configs]
        total = lambda key: sum(r[key] for _, r in all_epochs)
        need((c["covered"], c["gaps"], c["lost"], c["degraded"]) == tuple(map(total, "covered gaps lost degraded".split()))
             and c["sessions"] == first["sessions"] + total("begun") - first["begun"]
             and c["names"] in (None, names), 7, "the certificate's numbers are not those sealed")
        for x in file["configs"]: record(x, "config")
        need([base64.b64encode(leaf(x.encode())).decode() for x in file["configs"]] == configs, 7, "other configurations")
        step, seen = 8, []
        for a in file["anchors"]:
            note = Note(a["checkpoint"].encode())
            name, old, old_root = head(note.text)
            need(name == origin and note.signers(keys), 8, "an anchor is not of a head of this log")
            need(consistent(old, old_root, size, top, a["proof"]), 8, "an anchor is of another log's head")
            if a["kind"] == "witness":
                when = max(note.signers([k for k in [vkey(a["by"])] if k[1] == 4]).popitem()[1])
                seen.append((old, when))
            else:
                digest, when = stamp(unbase(a["by"]))
                need(digest == H(note.text.encode()), 8, "a time stamp is over another digest")
            need(when <= now // 10**9, 8, "an anchor is from the future")
        times = [[max(0, t * 10**9 - r["to"]) for n, t in seen if n > e["index"]] for e, r in all_epochs]
        need(c["lag"] == (max(map(min, times)) if all(times) else None), 8, "the anchor lag is not the stated one")
        return c, touching
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, UnicodeError) as error:
        raise Reject(step, f"malformed: {error}") from None

def verify(cert, data, keys, witnesses=(), quorum=0, now=None):
    """The certificate's fields and the gaps that touch it; raises Reject(step, reason)."""
    now, step = time.time_ns() if now is None else now, 1
    try:
        keys, witnesses = [vkey(k) for k in keys], [vkey(k) for k in witnesses]
        need(keys and all(k[1] == 1 for k in keys) and all(k[1] == 4 for k in witnesses), 1, "keys")
        step = 2
        note = Note(cert)
        c = certificate(note.text)
        keys = [k for k in keys if k[0] == c["log"]]
        need(keys, 1, "no key of this log is pinned")
        step = 3
        need(H(data) == c["evidence"], 3, "the evidence has another hash")
        file = evidence(data)
        step = 4
        final = Note(file["checkpoint"].encode())
        origin, size, top = head(final.text)
        by = final.signers(keys + witnesses) or {}
        seen = [max(t) for k, t in by.items() if k[1] == 4]
        need(origin == c["log"] and set(by) & set(keys) and len(seen) >= quorum
             and all(t <= now // 10**9 for t in seen), 4, "the checkpoint is not the log's, or not witnessed")
        sealed = lambda x: included(leaf(x["record"].encode()), x["index"], size, x["proof"], top)
        step = 2
        need(all(map(sealed, file["authority"])) and file["authority"][0]["index"] == 0, 2, "keys are not sealed")
        g = record(file["authority"][0]["record"], "genesis")
        key, place, _ = vkey(g["cert_key"]), 0, vkey(g["log_key"])
        need(g["origin"] == origin and key[:2] == (origin + "/cert", 1), 2, "another log's keys")
        for x in file["authority"][1:]:
            k = record(x["record"], "key")
            old, new, text = vkey(k["old"]), vkey(k["new"]), x["record"].split("\nold_signature ")[0].encode() + b"\n"
            need(k["role"] == "cert" and old == key and new[:2] == key[:2] and x["index"] > place
                 and signed(old[2], k["old_signature"], text) and signed(new[2], k["new_signature"], text), 2, "rotation")
            key, place = new, x["index"]
        need(note.signers([key]), 2, "the certificate is not signed by the log's certificate key")
        return epochs(file, c, keys, witnesses, now, (origin, size, top), sealed)
    except Reject: raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, UnicodeError) as error:
        raise Reject(step, f"malformed: {error}") from None

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("certificate")
    parser.add_argument("evidence")
    parser.add_argument("--key", action="append", required=True)
    parser.add_argument("--witness", action="append", default=[])
    parser.add_argument("--quorum", type=int, default=0)
    parser.add_argument("--now", type=int)
    o = parser.parse_args()
    try:
        found, gaps = verify(open(o.certificate, "rb").read(), open(o.evidence, "rb").read(), o.key, o.witness, o.quorum,
                             o.now)
    except Reject as error:
        print("REJECT: step %d: %s" % error.args)
        sys.exit(1)
    for gap in gaps: print("gap from {from} to {to} {source}: {reason}".format(**gap))
    clean = not gaps and not found["lost"] and not found["degraded"]
    print("ACCEPT" if clean else "ACCEPT WITH GAPS")
    sys.exit(0 if clean else 2)
