#!/usr/bin/env python3
"""Verifies a Counterfoil evidence bundle without any of Counterfoil's code.

    python3 verify_bundle.py BUNDLE.zip [LOG_PUBLIC_KEY]

LOG_PUBLIC_KEY is the key the log's owner gave you ("counterfoil/<ledger>+<hash>+<base64>"), or a
file with it. Without it the key inside the bundle is used: then anyone could have signed it.

Only the standard library is needed (Python 3.8 or newer), and two files beside this one: providers.py,
what each provider signs, and primitives.py, the signatures and the cipher that Python lacks. What is
checked is written down, byte by byte, in docs/verify-by-hand.md.

Exit status: 0 every claim holds, 4 they do and evidence is missing, 5 one does not, 2 wrong usage.
summary.html proves nothing and is not looked at.
"""

import base64
import hashlib
import re
import sys
import zipfile
from collections import Counter
from decimal import Decimal

from primitives import b64, ed25519_holds, rsa_sha256_holds, strict
from providers import SCHEMES, decrypted

# What a bundle of each format can be about, and what it may hold beside that: categories of streams.
FORMATS = {
    "counterfoil-bundle/1": ({"payment"}, {"ledger", "periods", "people", "channel"}),
    "counterfoil-bundle/2": ({"payment", "opening", "draw"}, {"ledger", "periods", "people", "channel", "policy"}),
}
NAMES = re.compile(r"(manifest\.json|checkpoint|log\.key|events\.ndjson|proofs\.ndjson|summary\.html|"
                   r"evidence/(0|[1-9][0-9]{0,18})\.(sealed|json)|keys/[a-zA-Z0-9-]{1,100}\.pem|"
                   r"secrets/[a-z0-9][a-z0-9-]{0,31}\.keys)")
MAX_FILE, MAX_FILES, MAX_BUNDLE = 1 << 30, 601_000, 4 << 30
EVENT = {"index", "position", "stream", "revision", "id", "type", "data", "meta", "sealed_sha256"}
MANIFEST = {"format", "ledger", "mode", "made_at", "software", "subject", "checkpoint", "streams", "keys", "files"}
# Every fact that logs of this program's age hold. An event with another name was written by a newer
# program: what it moves cannot be known here.
TYPES = set("""
    account.drawn.v1
    channel.configured.v1 config.applied.v1 config.approved.v1 config.proposed.v1 config.rejected.v1
    correction.approved.v1 correction.issued.v1 correction.proposed.v1 correction.rejected.v1 correction.seconded.v1
    discount.booked.v1 discrepancy.found.v1 dispute.lost.v1 dispute.reinstated.v1 dispute.withdrawn.v1
    draw.reversed.v1
    evidence.erased.v1 fees.booked.v1 fx.booked.v1 key.added.v1 key.proposed.v1 key.retired.v1 ledger.opened.v1
    movement.booked.v1 opening.booked.v1 opening.proposed.v1 opening.rejected.v1 payment.allocated.v1
    payment.closed.v1 payment.credited.v1 payment.held.v1 payment.notified.v1 payment.parked.v1 payment.placed.v1
    payment.refunded.v1 payout.arrived.v1 payout.failed.v1 payout.sent.v1 period.closed.v1 period.closing.v1
    period.rejected.v1 person.acted.v1 reconciliation.asked.v1 reconciliation.compared.v1 reconciliation.differed.v1 refund.failed.v1
""".split())


class Fails(Exception):
    """A claim that does not hold."""


def need(condition, text):
    if not condition:
        raise Fails(text)


def sha256(data):
    return hashlib.sha256(data).digest()


# --- The log: signed notes, leaves, paths -------------------------------------------------------


def open_note(note, key_text):
    """The text of a signed note (C2SP signed-note) whose signature by the key holds."""
    name, key_hash, encoded = split_key(key_text.strip())
    key = b64(encoded)
    need(len(key) == 33 and key[0] == 1, "the log's key is not an Ed25519 key")
    need(sha256(name.encode() + b"\n" + key)[:4].hex() == key_hash, "the log's key contradicts its own hash")
    need("\n\n" in note and note.endswith("\n"), "the checkpoint is no signed note")
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    for line in signatures.splitlines():
        parts = line.split(" ")
        if len(parts) == 3 and parts[0] == "\u2014" and parts[1] == name:
            raw = b64(parts[2])
            if raw[:4].hex() == key_hash and len(raw) == 68:
                need(ed25519_holds(key[1:], text.encode(), raw[4:]), "its signature does not hold")
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


def lines(data):
    text = data.decode()
    need(text.endswith("\n"), "a file of lines ends within one")
    return [strict(line) for line in text[:-1].split("\n")]


def category(stream):
    return stream.partition("-")[0]


def channel_of(stream):
    """The channel in a stream's name: behind the category, before the first ':'."""
    return stream.partition("-")[2].partition(":")[0]


def money(amount):
    return Decimal(amount["amount"])


def listed(sums):
    """Sums by currency, or by grade and currency, in words."""
    return ", ".join(" ".join(key[:-1] + (str(v), key[-1])) for key, v in sorted(sums.items()))


class Bundle:
    def __init__(self, path, key):
        self.path, self.given = path, key

    def container(self):
        self.zip = zipfile.ZipFile(self.path)
        infos = self.zip.infolist()
        need(len(infos) <= MAX_FILES, "too many files")
        for i in infos:
            need(NAMES.fullmatch(i.filename) and i.file_size <= MAX_FILE, "%r belongs into no bundle" % i.filename)
        need(sum(i.file_size for i in infos) <= MAX_BUNDLE, "the files are too large together")
        self.names = [i.filename for i in infos]
        need(len(set(self.names)) == len(self.names), "a file stands twice")
        return "%d files" % len(self.names)

    def manifest(self):
        self.m = strict(self.zip.read("manifest.json"))
        need(self.m["format"] in FORMATS, "format %r, this program reads %s" % (self.m["format"], " and ".join(FORMATS)))
        need(set(self.m) == MANIFEST, "it has other members than a manifest: %s" % ", ".join(sorted(set(self.m) ^ MANIFEST)))
        return "%s of ledger %s (%s)" % (self.m["format"], self.m["ledger"], self.m["mode"])

    def files(self):
        named = {f["name"]: f for f in self.m["files"]}
        need(len(named) == len(self.m["files"]), "the manifest names a file twice")
        need(set(named) == set(self.names) - {"manifest.json"}, "the manifest names other files than there are")
        for name, f in named.items():
            data = self.zip.read(name)
            need(len(data) == f["bytes"] and sha256(data).hex() == f["sha256"], name + " was changed")
        return "all as the manifest names them"

    def checkpoint(self):
        shown, note = self.zip.read("log.key").decode(), self.zip.read("checkpoint").decode()
        origin, size, root = open_note(note, self.given or shown).split("\n")[:3]
        need(not self.given or open_note(note, shown), "log.key is not the key that signed it")
        need(origin == "counterfoil/" + self.m["ledger"], "it is a checkpoint of log " + origin)
        self.size, self.root = int(size), b64(root)
        need(str(self.size) == size and len(self.root) == 32, "it is malformed")
        need(self.m["checkpoint"] == {"size": self.size, "root": self.root.hex()}, "the manifest says something else")
        return "%d events, root %s" % (self.size, self.root.hex())

    def inclusion(self):
        self.events, proofs = lines(self.zip.read("events.ndjson")), lines(self.zip.read("proofs.ndjson"))
        need([e["index"] for e in self.events] == [p["index"] for p in proofs], "events and proofs do not match")
        need(all(a["index"] < b["index"] for a, b in zip(self.events, self.events[1:])), "events are out of order")
        need(all(int(a["position"]) < int(b["position"]) for a, b in zip(self.events, self.events[1:])), "positions are out of order")
        for e, p in zip(self.events, proofs):
            need(set(e) == EVENT and set(p) == {"index", "path"}, "event %d has other members than an event" % e["index"])
            need(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", e["id"]), "event %d has no id" % e["index"])
            path = [b64(h) for h in p["path"]]
            need(all(len(h) == 32 for h in path) and path_root(e["index"], self.size, leaf_hash(e), path) == self.root,
                 "event %d is not in the log" % e["index"])
            e["fact"], e["when"] = strict(e["data"]), strict(e["meta"])
        first = self.events[0] if self.events else {"index": None}
        need(first["index"] == 0 and first["type"] == "ledger.opened.v1", "event 0 is missing")
        need(all(first["fact"][k] == self.m[k] for k in ("ledger", "mode")), "event 0 opens another ledger")
        return "%d events are in the log" % len(self.events)

    def streams(self):
        found = {}
        for e in self.events:
            need(e["type"] in TYPES, "event %d of %s is a %r, which a newer program wrote: use the verifier that came with that one"
                 % (e["index"], e["stream"], e["type"]))
            before = found.setdefault(e["stream"], [])
            need(e["revision"] == len(before), "%s: events were left out before event %d" % (e["stream"], e["index"]))
            before.append(e)
        need({s: len(events) for s, events in found.items()} == {s["stream"]: s["events"] for s in self.m["streams"]},
             "the manifest names other streams")
        subjects, beside = FORMATS[self.m["format"]]
        channels = {channel_of(s) for s in found if category(s) in subjects - {"draw"}}
        for s, events in found.items():
            if category(s) in subjects:
                need(self.claims(s, events), "%s is foreign to this subject" % s)
            else:
                need(category(s) in beside and (category(s) not in ("channel", "policy") or channel_of(s) in channels), "%s is foreign" % s)
        need(any(category(s) in subjects for s in found), "nothing of %s %s is in it" % (self.m["subject"]["kind"], self.m["subject"]["name"]))
        return "%d streams, each from its first event on; whether events follow behind the last of each cannot be seen" % len(found)

    def claims(self, stream, events):
        """Whether a payment, an opening or a draw is one that the bundle is about."""
        kind, name = self.m["subject"]["kind"], self.m["subject"]["name"]
        if category(stream) == "draw" and kind != "account":
            return False
        if kind == "payment":
            channel, order = name.split("/", 1)
            if order.startswith(("~", "trade:")):  # it could be taken for another kind of name
                order = "~" + sha256(order.encode()).hex()
            return stream == "payment-%s:%s" % (channel, order)
        if kind == "account":
            return any(e["type"] == "payment.placed.v1" and e["fact"]["account"] == name or
                       any(p.get("wallet") == name for p in e["fact"].get("postings") or []) for e in events)
        return kind == "period" and any(e["fact"].get("dates", {}).get("period") == name for e in events)

    def keys(self):
        """The providers' public keys, as the manifest and the files show them, are those of the settings."""
        rows, files = set(), {}
        for e in self.events:
            for k in (e["fact"].get("keys") or []) if e["type"] == "channel.configured.v1" else []:
                name = "keys/%s.pem" % re.sub("[:/]", "-", k["fingerprint"])
                rows.add((e["fact"]["channel"], k["fingerprint"], k["use"], k["obtained"], name))
                files[name] = b64(k["der"])
        said = [tuple(k[m] for m in ("channel", "fingerprint", "use", "obtained", "file")) for k in self.m["keys"]]
        need(len(said) == len(rows) and set(said) == rows, "the manifest names other keys than the settings hold")
        need({n for n in self.names if n.startswith("keys/")} == set(files), "there are other key files than the settings hold keys")
        for name, der in files.items():
            text = base64.b64encode(der).decode()
            pem = "".join(line + "\n" for line in ["-----BEGIN PUBLIC KEY-----"] + re.findall(".{1,64}", text) + ["-----END PUBLIC KEY-----"])
            need(self.zip.read(name) == pem.encode(), "%s is not the key that the settings hold" % name)
        channels = {channel_of(e["stream"]) for e in self.events if category(e["stream"]) == "channel"}
        need(all(n[len("secrets/"):-len(".keys")] in channels for n in self.names if n.startswith("secrets/")), "there are secrets of another channel")
        return "%d public keys of providers are those of the settings" % len(files)

    def evidence(self):
        opened, personal, self.missing = 0, 0, 0
        shown = {n for n in self.names if n.startswith("evidence/")}
        need(shown <= {"evidence/%d.%s" % (e["index"], k) for e in self.events for k in ("sealed", "json")}, "there is evidence of no event")
        for e in self.events:
            sealed, plain = "evidence/%d.sealed" % e["index"], "evidence/%d.json" % e["index"]
            if e["sealed_sha256"] == sha256(b"").hex():
                need(sealed not in self.names and plain not in self.names, "event %d has no evidence, but some is here" % e["index"])
                continue
            need(sha256(self.zip.read(sealed)).hex() == e["sealed_sha256"], sealed + " belongs to another event")
            if plain in self.names and e["type"] == "payment.notified.v1":
                data, said = self.zip.read(plain), e["fact"]["evidence"]
                need(sha256(data).hex() == said["sha256"] and len(data) == said["size"], plain + " is not what was kept")
                e["kept"] = strict(data)
                opened += 1
            elif e["type"] == "payment.notified.v1":
                self.missing += 1
            elif plain in self.names:
                personal += 1
        return "%d messages of providers are those that were kept, %d are missing; what %d parts with personal fields say is the word of whoever " \
               "made the bundle" % (opened, self.missing, personal)

    def signatures(self):
        keys, count, grades = {}, Counter(), Counter()
        for e in self.events:
            if e["type"] == "channel.configured.v1":
                keys.update({k["fingerprint"]: b64(k["der"]) for k in e["fact"].get("keys") or []})
            if e["type"] == "payment.notified.v1":
                grades[e["fact"]["evidence"]["grade"]] += 1
            if "kept" in e:
                count[self.signature(e, keys)] += 1
        return "%d by RSA keys of providers hold, %d of them over what is encrypted, of which no key in the bundle shows that it is " \
               "what the events say; %d by a shared secret and %d unsigned prove nothing to strangers; %d are not checked here; " \
               "notices by grade: %s" % (
                   count["verified"] + count["encrypted"], count["encrypted"], count["shared"], count["unsigned"],
                   count["not checked here"], ", ".join("%s %d" % g for g in sorted(grades.items())) or "none")

    def signature(self, e, keys):
        """The class of a kept message; of grade A it must be signed, and say what the event says."""
        kept, evidence, fact = e["kept"], e["fact"]["evidence"], e["fact"]
        need((kept["scheme"], kept["grade"]) == (evidence["scheme"], evidence["grade"]), "event %d has evidence of another grade" % e["index"])
        if kept["grade"] != "A":
            return "shared" if kept["grade"] == "B" else "unsigned"
        read = SCHEMES.get(kept["scheme"] + " " + kept["kind"])
        if not read:
            return "not checked here"
        key = keys[kept["key"]]
        need("sha256:" + sha256(key).hex() == kept["key"], "a key contradicts its fingerprint")
        texts, sign, said = read(kept)
        need(any(rsa_sha256_holds(key, text, sign) for text in texts), "event %d: the provider's signature does not hold" % e["index"])
        if said is None:
            said = decrypted(kept, self.secrets(fact["channel"]), fact.get("about") == "refund")
            if said is None:
                return "encrypted"
        want = {"order": fact["order_no"], "trade": fact.get("trade_no", "")}
        if "amount" in fact:
            want.update({"amount": money(fact["amount"]), fact["amount"]["currency"]: money(fact["amount"])})
        if fact["status"] == "paid" and not fact.get("about"):
            want.update({"paid": True, "total": want.get("amount")})
        need(all(said[k] == want[k] for k in said if k in want or k == "amount"), "event %d says something else than its evidence" % e["index"])
        return "verified"

    def secrets(self, channel):
        """The APIv3 keys that the bundle holds of a channel (--with-secrets)."""
        name = "secrets/%s.keys" % channel
        return [b64(line) for line in self.zip.read(name).decode().split()] if name in self.names else []

    def books(self):
        total, by_grade, grade = Counter(), Counter(), {}
        subject = self.m["subject"]
        for e in self.events:
            sums, fact, stream = Counter(), e["fact"], e["stream"]
            for p in fact.get("postings") or []:
                currency = p["amount"]["currency"]
                sums[currency] += money(p["amount"])
                if p["book"] == "liabilities:wallet" and (subject["kind"] != "account" or p["wallet"] == subject["name"]):
                    total[(currency,)] -= money(p["amount"])
            need(not any(sums.values()), "event %d: its postings do not sum to zero" % e["index"])
            if e["type"] == "payment.notified.v1":
                grade[stream] = fact["evidence"]["grade"]
            elif e["type"] == "correction.approved.v1":
                grade[stream] = "D"
            elif e["type"] == "payment.credited.v1" or e["type"] == "payment.parked.v1" and fact.get("confirmed"):
                by_grade[grade.get(stream, "none"), fact["amount"]["currency"]] += money(fact["amount"])
        return "every event's postings sum to zero; to wallets: %s; money by grade: %s" % (listed(total) or "nothing", listed(by_grade) or "none")


CLAIMS = ("container", "manifest", "files", "checkpoint", "inclusion", "streams", "keys", "evidence", "signatures", "books")


def main(args):
    if len(args) not in (1, 2):
        print(__doc__)
        return 2
    key = args[1] if len(args) == 2 else None
    if key is not None:
        try:
            key = open(key).read()
        except OSError:
            pass  # it is the key itself
    b = Bundle(args[0], key)
    for claim in CLAIMS:
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
    print("not looked at: summary.html, and when and by what the bundle says it was made; they prove nothing")
    if b.missing:
        print("verdict: nothing is wrong, but the evidence of %d notices is missing" % b.missing)
        return 4
    print("verdict: every claim holds")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
