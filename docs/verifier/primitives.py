"""The three primitives that a bundle's proofs rest on, by their standards, with no library but Python's own.

Python's standard library has hashes, and neither signatures nor AES. An auditor's machine often has nothing else
installed, and may install nothing, so they are written out here, for checking only: no secret of anybody's signature
is here, so nothing needs to run in constant time. Who has a library that they trust more puts it into the three
functions ed25519_holds, rsa_sha256_holds and open_gcm.

    python3 primitives.py

holds the first and the last against the examples of their standards.
"""

import base64
import hashlib
import json
import sys

# --- Reading ------------------------------------------------------------------------------------


def b64(text):
    return base64.b64decode(text, validate=True)


def strict(text):
    """JSON without a name twice."""
    def once(pairs):
        if len({k for k, _ in pairs}) < len(pairs):
            raise ValueError("a JSON object has a name twice")
        return dict(pairs)
    return json.loads(text, object_pairs_hook=once)


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
    if y >= P:
        raise ValueError("a point is not canonical")
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * ROOT % P
    if (x * x - xx) % P or x == 0 and sign:
        raise ValueError("a point is not on the curve")
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


def ed25519_holds(key, message, signature):
    """Whether the 64 bytes of a signature are of this key of 32 bytes over this message."""
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


def rsa_sha256_holds(spki, message, signature):
    """Whether a signature is of this key, a SubjectPublicKeyInfo in DER, over this message."""
    n, e = rsa_key(spki)
    size = (n.bit_length() + 7) // 8
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(message).digest()
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


# --- The examples of the standards --------------------------------------------------------------

EXAMPLES = {
    "Ed25519 (RFC 8032, 7.1, test 2)": lambda h: ed25519_holds(
        h("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), b"\x72",
        h("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")),
    "Ed25519 refuses another message": lambda h: not ed25519_holds(
        h("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), b"\x73",
        h("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")),
    "AES-256-GCM (the GCM specification, test case 16)": lambda h: open_gcm(
        h("feffe9928665731c6d6a8f9467308308" * 2), h("cafebabefacedbaddecaf888"), h("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
        h("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
          "76fc6ece0f4e1768cddf8853bb2d551b")) == h("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
                                               "b16aedf5aa0de657ba637b39"),
}

if __name__ == "__main__":
    broken = [name for name, holds in EXAMPLES.items() if not holds(bytes.fromhex)]
    print("broken: %s" % ", ".join(broken) if broken else "all %d examples hold" % len(EXAMPLES))
    sys.exit(5 if broken else 0)
