#!/usr/bin/env python3
"""Verifies a Counterfoil evidence bundle without any of Counterfoil's code.

    python3 verify_bundle.py BUNDLE.zip [LOG_PUBLIC_KEY]

LOG_PUBLIC_KEY is the key the log's owner gave you ("counterfoil/<ledger>+<hash>+<base64>"), or a
file with it. Without it the key inside the bundle is used: then anyone could have signed it.

Only the standard library is needed (Python 3.8 or newer). What is checked is written down, byte by
byte, in docs/verify-by-hand.md. Exit status: 0 every claim holds, 5 one does not, 2 wrong usage.
"""

import base64
import hashlib
import json
import re
import sys
import zipfile
from decimal import Decimal
from urllib.parse import unquote_to_bytes

FORMAT = "counterfoil-bundle/1"
NAMES = re.compile(r"(manifest\.json|checkpoint|log\.key|events\.ndjson|proofs\.ndjson|summary\.html|"
                   r"evidence/(0|[1-9][0-9]{0,18})\.(sealed|json)|keys/[a-zA-Z0-9-]{1,100}\.pem|"
                   r"secrets/[a-z0-9][a-z0-9-]{0,31}\.keys)")
MAX_FILE, MAX_FILES = 1 << 30, 601_000
# Every fact that logs of this program's age hold. An event with another name was written by a newer
# program: what it moves cannot be known here.
TYPES = set("""
    channel.configured.v1 config.applied.v1 config.approved.v1 config.proposed.v1 config.rejected.v1
    correction.approved.v1 correction.issued.v1 correction.proposed.v1 correction.rejected.v1 correction.seconded.v1
    discount.booked.v1 discrepancy.found.v1 dispute.lost.v1 dispute.reinstated.v1 dispute.withdrawn.v1
    evidence.erased.v1 fees.booked.v1 fx.booked.v1 key.added.v1 key.proposed.v1 key.retired.v1 ledger.opened.v1
    movement.booked.v1 opening.booked.v1 opening.proposed.v1 opening.rejected.v1 payment.allocated.v1
    payment.closed.v1 payment.credited.v1 payment.held.v1 payment.notified.v1 payment.parked.v1 payment.placed.v1
    payment.refunded.v1 payout.arrived.v1 payout.failed.v1 payout.sent.v1 period.closed.v1 period.closing.v1
    period.rejected.v1 person.acted.v1 reconciliation.compared.v1 reconciliation.differed.v1 refund.failed.v1
""".split())


class Fails(Exception):
    """A claim that does not hold."""


def need(condition, text):
    if not condition:
        raise Fails(text)


def sha256(data):
    return hashlib.sha256(data).digest()


# --- Ed25519 (RFC 8032), verification only ------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def point(x, y):
    return (x, y, 1, x * y % P)


def decode_point(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    need(y < P, "a point of the signature is not canonical")
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * ROOT % P
    need((x * x - xx) % P == 0 and not (x == 0 and sign), "a point of the signature is not on the curve")
    return point(P - x if x & 1 != sign else x, y)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(n, p):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = add(out, p)
        p, n = add(p, p), n >> 1
    return out


BY = 4 * pow(5, P - 2, P) % P
BASE = decode_point(BY.to_bytes(32, "little"))


def ed25519(key, message, signature):
    r, s = decode_point(signature[:32]), int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = multiply(s, BASE), add(r, multiply(k, decode_point(key)))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# --- RSA with SHA-256 (PKCS #1 v1.5) ------------------------------------------------------------


def der(raw):
    """One DER value: tag, content, what stands behind it."""
    tag, n, at = raw[0], raw[1], 2
    if n & 0x80:
        at = 2 + (n & 0x7F)
        n = int.from_bytes(raw[2:at], "big")
    return tag, raw[at:at + n], raw[at + n:]


def rsa_key(spki):
    _, both, _ = der(spki)
    _, _, bits = der(both)
    _, bits, _ = der(bits)
    _, numbers, _ = der(bits[1:])
    _, n, rest = der(numbers)
    _, e, _ = der(rest)
    return int.from_bytes(n, "big"), int.from_bytes(e, "big")


def rsa_sha256(spki, message, signature):
    n, e = rsa_key(spki)
    size = (n.bit_length() + 7) // 8
    info = bytes.fromhex("3031300d060960864801650304020105000420") + sha256(message)
    want = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
    return len(signature) == size and pow(int.from_bytes(signature, "big"), e, n).to_bytes(size, "big") == want


# --- AES-256-GCM (FIPS 197, SP 800-38D), opening only -------------------------------------------


def double(a):
    return a << 1 ^ (0x11B if a & 0x80 else 0)


def substitutions():
    """Each byte's inverse in GF(2^8), then the affine map: p runs through powers of 3, q through their inverses."""
    out, p, q = [0x63] * 256, 1, 1
    for _ in range(255):
        p ^= double(p)
        for n in (1, 2, 4):
            q = (q ^ q << n) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        wide = q * 0x0101
        out[p] = (q ^ wide >> 7 ^ wide >> 6 ^ wide >> 5 ^ wide >> 4 ^ 0x63) & 0xFF
    return out


S = substitutions()


def round_keys(key):
    words, constant = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        t = words[-1]
        if i % 8 == 0:
            t = [S[t[1]] ^ constant, S[t[2]], S[t[3]], S[t[0]]]
            constant = double(constant)
        elif i % 8 == 4:
            t = [S[b] for b in t]
        words.append([a ^ b for a, b in zip(words[-8], t)])
    return [sum(words[i:i + 4], []) for i in range(0, 60, 4)]


def aes(keys, block):
    s = [a ^ b for a, b in zip(block, keys[0])]
    for n in range(1, 15):
        s = [S[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if n < 14:
            s = [s[i] ^ s[c] ^ s[c + 1] ^ s[c + 2] ^ s[c + 3] ^ double(s[i] ^ s[c + (i + 1) % 4]) for c in (0, 4, 8, 12) for i in range(c, c + 4)]
        s = [a ^ b for a, b in zip(s, keys[n])]
    return int.from_bytes(bytes(s), "big")


def ghash(x, h):
    z = 0
    for i in range(127, -1, -1):
        z ^= h if x >> i & 1 else 0
        h = h >> 1 ^ (0xE1 << 120 if h & 1 else 0)
    return z


def open_gcm(key, nonce, beside, sealed):
    """The plain text, or None where the tag is not of this key."""
    keys, text, y = round_keys(key), sealed[:-16], 0
    h = aes(keys, bytes(16))
    for part in (beside, text):
        for i in range(0, len(part), 16):
            y = ghash(y ^ int.from_bytes(part[i:i + 16].ljust(16, b"\0"), "big"), h)
    y = ghash(y ^ (len(beside) * 8 << 64 | len(text) * 8), h)
    stream = [aes(keys, nonce + n.to_bytes(4, "big")).to_bytes(16, "big") for n in range(1, 2 + (len(text) + 15) // 16)]
    if y ^ int.from_bytes(stream[0], "big") != int.from_bytes(sealed[-16:], "big"):
        return None
    return bytes(a ^ b for a, b in zip(text, b"".join(stream[1:])))


# --- The log: signed notes, leaves, paths -------------------------------------------------------


def open_note(note, key_text):
    """The text of a signed note (C2SP signed-note) whose signature by the key holds."""
    name, key_hash, encoded = split_key(key_text.strip())
    key = base64.b64decode(encoded, validate=True)
    need(len(key) == 33 and key[0] == 1, "the log's key is not an Ed25519 key")
    need(sha256(name.encode() + b"\n" + key)[:4].hex() == key_hash, "the log's key contradicts its own hash")
    need("\n\n" in note and note.endswith("\n"), "the checkpoint is no signed note")
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    for line in signatures.splitlines():
        parts = line.split(" ")
        if len(parts) == 3 and parts[0] == "\u2014" and parts[1] == name:
            raw = base64.b64decode(parts[2], validate=True)
            if raw[:4].hex() == key_hash and len(raw) == 68:
                need(ed25519(key[1:], text.encode(), raw[4:]), "its signature does not hold")
                return text
    raise Fails("it is not signed by key " + name + "+" + key_hash)


def split_key(text):
    """Base64 may hold '+', names and hashes do not."""
    found = re.fullmatch(r"([^+ ]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", text)
    need(found, "this is no public key of a signed note")
    return found.groups()


def leaf_hash(e):
    """RFC 6962 leaf hash: every part behind its length as eight bytes, big endian."""
    sealed = bytes.fromhex(e["sealed_sha256"])
    need(len(sealed) == 32, "sealed_sha256 has not 32 bytes")
    out = b"\x00"
    for part in (e["stream"].encode(), e["revision"].to_bytes(8, "big"), bytes.fromhex(e["id"].replace("-", "")),
                 e["type"].encode(), e["data"].encode(), e["meta"].encode(), sealed):
        out += len(part).to_bytes(8, "big") + part
    return sha256(out)


def path_root(index, size, leaf, path):
    """RFC 9162, 2.1.3.2."""
    need(0 <= index < size, "the index lies outside of the tree")
    fn, sn, r = index, size - 1, leaf
    for h in path:
        need(sn > 0, "the path is too long")
        if fn & 1 or fn == sn:
            r = sha256(b"\x01" + h + r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha256(b"\x01" + r + h)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "the path is too short")
    return r


# --- The bundle ---------------------------------------------------------------------------------


def strict(text):
    """JSON without a name twice."""
    def once(pairs):
        need(len({k for k, _ in pairs}) == len(pairs), "a JSON object has a name twice")
        return dict(pairs)
    return json.loads(text, object_pairs_hook=once)


def lines(data):
    return [strict(line) for line in data.decode().split("\n") if line]


class Bundle:
    def __init__(self, path, key):
        self.path, self.given = path, key

    def container(self):
        self.zip = zipfile.ZipFile(self.path)
        infos = self.zip.infolist()
        need(len(infos) <= MAX_FILES, "too many files")
        for i in infos:
            need(NAMES.fullmatch(i.filename) and i.file_size <= MAX_FILE, "%r belongs into no bundle" % i.filename)
        self.names = [i.filename for i in infos]
        need(len(set(self.names)) == len(self.names), "a file stands twice")
        return "%d files" % len(self.names)

    def manifest(self):
        self.m = strict(self.zip.read("manifest.json"))
        need(self.m["format"] == FORMAT, "format %r, this program reads %s" % (self.m["format"], FORMAT))
        return "%s of ledger %s (%s)" % (FORMAT, self.m["ledger"], self.m["mode"])

    def files(self):
        listed = {f["name"]: f for f in self.m["files"]}
        need(set(listed) == set(self.names) - {"manifest.json"}, "the manifest names other files than there are")
        for name, f in listed.items():
            data = self.zip.read(name)
            need(len(data) == f["bytes"] and sha256(data).hex() == f["sha256"], name + " was changed")
        return "all as the manifest names them"

    def checkpoint(self):
        key = self.given or self.zip.read("log.key").decode()
        origin, size, root = open_note(self.zip.read("checkpoint").decode(), key).split("\n")[:3]
        need(origin == "counterfoil/" + self.m["ledger"], "it is a checkpoint of log " + origin)
        self.size, self.root = int(size), base64.b64decode(root, validate=True)
        need(str(self.size) == size and len(self.root) == 32, "it is malformed")
        need(self.m["checkpoint"] == {"size": self.size, "root": self.root.hex()}, "the manifest says something else")
        return "%d events, root %s" % (self.size, self.root.hex())

    def inclusion(self):
        self.events, proofs = lines(self.zip.read("events.ndjson")), lines(self.zip.read("proofs.ndjson"))
        need([e["index"] for e in self.events] == [p["index"] for p in proofs], "events and proofs do not match")
        need(all(a["index"] < b["index"] for a, b in zip(self.events, self.events[1:])), "events are out of order")
        for e, p in zip(self.events, proofs):
            path = [base64.b64decode(h, validate=True) for h in p["path"]]
            need(all(len(h) == 32 for h in path) and path_root(e["index"], self.size, leaf_hash(e), path) == self.root,
                 "event %d is not in the log" % e["index"])
        for e in self.events:
            e["fact"], e["when"] = strict(e["data"]), strict(e["meta"])
        need(self.events and self.events[0]["index"] == 0 and self.events[0]["type"] == "ledger.opened.v1", "event 0 is missing")
        need(self.events[0]["fact"]["ledger"] == self.m["ledger"] and self.events[0]["fact"]["mode"] == self.m["mode"],
             "event 0 opens another ledger")
        return "%d events are in the log" % len(self.events)

    def streams(self):
        count = {}
        for e in self.events:
            need(e["type"] in TYPES, "event %d of %s is a %r, which a newer program wrote: use the verifier that came with that one"
                 % (e["index"], e["stream"], e["type"]))
            need(e["revision"] == count.get(e["stream"], 0), "%s: events were left out before event %d" % (e["stream"], e["index"]))
            count[e["stream"]] = e["revision"] + 1
        need(count == {s["stream"]: s["events"] for s in self.m["streams"]}, "the manifest names other streams")
        kind, name = self.m["subject"]["kind"], self.m["subject"]["name"]
        if kind == "payment":
            stream = "payment-" + name.replace("/", ":", 1)
            if re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", name.split("/", 1)[1]):
                need({s for s in count if s.startswith("payment-")} == {stream}, "there are foreign payments")
        return "%d streams, each from its first event on" % len(count)

    def evidence(self):
        opened = 0
        for e in self.events:
            sealed, plain = "evidence/%d.sealed" % e["index"], "evidence/%d.json" % e["index"]
            if e["sealed_sha256"] == sha256(b"").hex():
                need(sealed not in self.names and plain not in self.names, "event %d has no evidence, but some is here" % e["index"])
                continue
            need(sha256(self.zip.read(sealed)).hex() == e["sealed_sha256"], sealed + " belongs to another event")
            if plain in self.names and e["type"] == "payment.notified.v1":
                data, said = self.zip.read(plain), e["fact"]["evidence"]
                need(sha256(data).hex() == said["sha256"] and len(data) == said["size"], plain + " is not what was kept")
                opened += 1
        return "%d messages of providers are those that were kept" % opened

    def signatures(self):
        keys, count, grades = {}, {"verified": 0, "encrypted": 0, "shared": 0, "unsigned": 0, "not checked here": 0}, {}
        for e in self.events:
            if e["type"] == "channel.configured.v1":
                keys.update({k["fingerprint"]: base64.b64decode(k["der"]) for k in e["fact"].get("keys") or []})
            plain = "evidence/%d.json" % e["index"]
            if e["type"] != "payment.notified.v1":
                continue
            grade = e["fact"]["evidence"]["grade"]
            grades[grade] = grades.get(grade, 0) + 1
            if plain in self.names:
                count[self.signature(e, strict(self.zip.read(plain)), grade, keys)] += 1
        return "%d by RSA keys of providers hold, %d of them over what is encrypted, of which no key in the bundle shows that it is " \
               "what the events say; %d by a shared secret and %d unsigned prove nothing to strangers; %d are not checked here; " \
               "notices by grade: %s" % (
                   count["verified"] + count["encrypted"], count["encrypted"], count["shared"], count["unsigned"],
                   count["not checked here"], ", ".join("%s %d" % g for g in sorted(grades.items())) or "none")

    def signature(self, e, kept, grade, keys):
        need(kept["scheme"] == e["fact"]["evidence"]["scheme"] and kept["grade"] == grade, "event %d has evidence of another grade" % e["index"])
        if grade != "A":
            return "shared" if grade == "B" else "unsigned"
        check = {"epay.rsa.v2 callback": self.epay, "wechatpay.v3 callback": self.wechatpay, "wechatpay.v3 query": self.wechatpay,
                 "alipay.rsa2 callback": self.alipay}.get(kept["scheme"] + " " + kept["kind"])
        if not check:
            return "not checked here"
        der_key = keys[kept["key"]]
        need("sha256:" + sha256(der_key).hex() == kept["key"], "a key contradicts its fingerprint")
        return check(e, kept, der_key)

    def wechatpay(self, e, kept, der_key):
        """WeChat Pay v3: time, nonce and body, each with a line feed behind it. The body of a callback is encrypted."""
        head = {h["name"].lower(): h["value"] for h in kept["headers"]}
        text = b"".join(part + b"\n" for part in (head["wechatpay-timestamp"].encode(), head["wechatpay-nonce"].encode(),
                                                  base64.b64decode(kept.get("body") or "")))
        sign = base64.b64decode(head["wechatpay-signature"], validate=True)
        need(rsa_sha256(der_key, text, sign), "event %d: the provider's signature does not hold" % e["index"])
        return self.opened(e, base64.b64decode(kept["body"])) if kept["kind"] == "callback" else "verified"

    def opened(self, e, body):
        """What WeChat Pay has encrypted, where the bundle holds the APIv3 key of the time (--with-secrets)."""
        name, r, fact = "secrets/%s.keys" % e["fact"]["channel"], strict(body)["resource"], e["fact"]
        for line in self.zip.read(name).decode().split() if name in self.names else ():
            key = base64.b64decode(line, validate=True)
            if len(key) != 32 or len(r["nonce"]) != 12 or r["algorithm"] != "AEAD_AES_256_GCM":
                continue
            plain = open_gcm(key, r["nonce"].encode(), r.get("associated_data", "").encode(), base64.b64decode(r["ciphertext"], validate=True))
            if plain is None:
                continue
            said = strict(plain)
            amount = said.get("amount", {}).get("refund" if fact.get("about") == "refund" else "total")
            need(said.get("out_trade_no") == fact["order_no"] and said.get("transaction_id", "") == fact.get("trade_no", "")
                 and (amount is None or fact.get("amount", {}).get("currency") != "CNY" or Decimal(amount) == Decimal(fact["amount"]["amount"]) * 100),
                 "event %d says something else than its evidence" % e["index"])
            return "verified"
        return "encrypted"

    def epay(self, e, kept, der_key):
        """Rainbow Epay V2: all fields but sign, sign_type and empty ones, sorted, name=value joined by '&'."""
        return self.form(e, kept, der_key, b"money", lambda k, v: k not in (b"sign", b"sign_type") and v)

    def alipay(self, e, kept, der_key):
        """Alipay RSA2: the same, but empty fields count and alipay_cert_sn does not."""
        return self.form(e, kept, der_key, None, lambda k, _: k not in (b"sign", b"sign_type", b"alipay_cert_sn"))

    @staticmethod
    def form(e, kept, der_key, money, signed):
        raw = kept["target"].partition("?")[2].encode()
        if kept["method"] == "POST":
            raw = base64.b64decode(kept.get("body") or "")
        fields = dict((unquote_to_bytes(k.replace(b"+", b" ")), unquote_to_bytes(v.replace(b"+", b" ")))
                      for k, _, v in (part.partition(b"=") for part in raw.split(b"&")))
        text = b"&".join(k + b"=" + fields[k] for k in sorted(fields) if signed(k, fields[k]))
        sign = base64.b64decode(fields[b"sign"].replace(b" ", b"+"), validate=True)
        need(rsa_sha256(der_key, text, sign), "event %d: the provider's signature does not hold" % e["index"])
        need(fields[b"out_trade_no"].decode() == e["fact"]["order_no"] and fields[b"trade_no"].decode() == e["fact"].get("trade_no", "")
             and (money is None or Decimal(fields[money].decode()) == Decimal(e["fact"]["amount"]["amount"])),
             "event %d says something else than its evidence" % e["index"])
        return "verified"

    def books(self):
        total, by_grade, grade = {}, {}, {}
        for e in self.events:
            sums, fact, stream = {}, e["fact"], e["stream"]
            for p in fact.get("postings") or []:
                a = p["amount"]
                sums[a["currency"]] = sums.get(a["currency"], 0) + Decimal(a["amount"])
                if p["book"] == "liabilities:wallet":
                    total[a["currency"]] = total.get(a["currency"], 0) - Decimal(a["amount"])
            need(not any(sums.values()), "event %d: its postings do not sum to zero" % e["index"])
            if e["type"] == "payment.notified.v1":
                grade[stream] = fact["evidence"]["grade"]
            elif e["type"] == "correction.approved.v1":
                grade[stream] = "D"
            elif e["type"] == "payment.credited.v1" or e["type"] == "payment.parked.v1" and fact.get("confirmed"):
                key = (grade.get(stream, "none"), fact["amount"]["currency"])
                by_grade[key] = by_grade.get(key, 0) + Decimal(fact["amount"]["amount"])
        return "every event's postings sum to zero; to wallets: %s; money by grade: %s" % (
            ", ".join("%s %s" % (v, k) for k, v in sorted(total.items())) or "nothing",
            ", ".join("%s %s %s" % (g, v, c) for (g, c), v in sorted(by_grade.items())) or "none")


def main(args):
    if len(args) not in (1, 2):
        print(__doc__)
        return 2
    key = None
    if len(args) == 2:
        try:
            key = open(args[1]).read()
        except OSError:
            key = args[1]
    b = Bundle(args[0], key)
    for claim in ("container", "manifest", "files", "checkpoint", "inclusion", "streams", "evidence", "signatures", "books"):
        try:
            print("%-11s yes  %s" % (claim, getattr(b, claim)()))
        except Fails as e:
            print("%-11s NO   %s\nverdict: FAILED" % (claim, e))
            return 5
        except Exception as e:  # whatever a forged bundle makes us stumble over is no pass
            print("%-11s NO   it cannot be read: %s: %s\nverdict: FAILED" % (claim, type(e).__name__, e))
            return 5
    if key is None:
        print("look at: the log's key came out of the bundle itself, so anyone could have signed it")
    print("verdict: every claim holds")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
