"""What the providers' signatures cover: how a kept message becomes the bytes that were signed, and what it says.

Each function takes a message as it was kept and gives the texts of which one is signed, the signature, and what the message
says in plain text: the order, the trade number, whether it was paid and, where there is one, the amount. None where that is encrypted,
and an empty dict where it is not compared.
"""

import base64
from decimal import Decimal
from urllib.parse import unquote_to_bytes

from primitives import b64, open_gcm, strict


def form(kept):
    """The fields of a callback that is a form: in the body of a POST, else behind the '?'."""
    raw = base64.b64decode(kept.get("body") or "") if kept["method"] == "POST" else kept["target"].partition("?")[2].encode()
    parts = (part.replace(b"+", b" ").partition(b"=") for part in raw.split(b"&"))
    return {unquote_to_bytes(k): unquote_to_bytes(v) for k, _, v in parts}


def joined(fields, *left_out):
    """A form's fields by name, name=value joined by '&'."""
    return b"&".join(k + b"=" + fields[k] for k in sorted(fields) if k not in left_out)


def signature(fields):
    """The signature in a form."""
    return b64(fields[b"sign"].replace(b" ", b"+"))


def filled(fields):
    """The fields of a form that are not empty."""
    return {k: v for k, v in fields.items() if v}


def epay(kept):
    """Rainbow Epay V2: all fields but sign, sign_type and empty ones."""
    fields = form(kept)
    said = {"order": fields[b"out_trade_no"].decode(), "trade": fields[b"trade_no"].decode(), "amount": Decimal(fields[b"money"].decode())}
    said["paid"] = fields[b"trade_status"] == b"TRADE_SUCCESS"
    return [joined(filled(fields), b"sign", b"sign_type")], signature(fields), said


def alipay(kept):
    """Alipay RSA2: empty fields count or do not, as its libraries do it; alipay_cert_sn never does."""
    fields = form(kept)
    said = {"order": fields[b"out_trade_no"].decode(), "trade": fields[b"trade_no"].decode()}
    state = fields[b"trade_status"]
    said["paid"] = state in (b"TRADE_SUCCESS", b"TRADE_FINISHED") or state == b"TRADE_CLOSED" and bool(fields.get(b"gmt_payment") or fields.get(b"refund_fee"))
    said["total"] = Decimal(fields[b"total_amount"].decode()) if fields.get(b"total_amount") else None
    left_out = b"sign", b"sign_type", b"alipay_cert_sn"
    return [joined(fields, *left_out), joined(filled(fields), *left_out)], signature(fields), said


def wechatpay(kept):
    """WeChat Pay v3: time, nonce and body, each with a line feed behind it. The body of a callback is encrypted."""
    head = {h["name"].lower(): h["value"] for h in kept["headers"]}
    parts = head["wechatpay-timestamp"].encode(), head["wechatpay-nonce"].encode(), base64.b64decode(kept.get("body") or "")
    return [b"".join(part + b"\n" for part in parts)], b64(head["wechatpay-signature"]), None if kept["kind"] == "callback" else {}


def decrypted(kept, secrets, refund):
    """What WeChat Pay says in an encrypted callback, opened with the APIv3 key of the time; None without that key."""
    r = strict(base64.b64decode(kept["body"]))["resource"]
    for key in secrets:
        if len(key) != 32 or len(r["nonce"]) != 12 or r["algorithm"] != "AEAD_AES_256_GCM":
            continue
        plain = open_gcm(key, r["nonce"].encode(), r.get("associated_data", "").encode(), b64(r["ciphertext"]))
        if plain is None:
            continue
        said = strict(plain)
        out = {"order": said.get("out_trade_no"), "trade": said.get("transaction_id", ""), "paid": said.get("trade_state") in ("SUCCESS", "REFUND")}
        fen = said.get("amount", {}).get("refund" if refund else "total")
        if fen is not None:
            out["CNY"] = Decimal(fen) / 100
        return out
    return None


# What is signed, the signature and what is said in plain text, by scheme and kind of message.
SCHEMES = {"epay.rsa.v2 callback": epay, "alipay.rsa2 callback": alipay, "wechatpay.v3 callback": wechatpay, "wechatpay.v3 query": wechatpay}
