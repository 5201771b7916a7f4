package wechatpay

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// FuzzReadV3 gives a v3 channel any body, first under a signature of something
// else and then under a right one, and any plain text in a right envelope.
func FuzzReadV3(f *testing.F) {
	f.Add(vector(f, "payment.json"))
	f.Add(vector(f, "refund.json"))
	f.Add(vector(f, "payment.plain.json"))
	f.Add(vector(f, "refund.plain.json"))
	f.Add([]byte(`{"event_type":"x","resource":{"algorithm":"AEAD_AES_256_GCM","nonce":"fdasflkja484","ciphertext":"AAAA"}}`))
	f.Add([]byte(`<xml><req_info>AAAAAAAAAAAAAAAAAAAAAA==</req_info></xml>`))
	c := newChannel(f, configV3())
	good := genuineV3(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		stolen := good
		stolen.Body = body
		if read, _, err := c.Read(stolen); err == nil && !bytes.Equal(body, good.Body) && read.Evidence.Scheme != SchemeReqInfo {
			t.Fatalf("accepted without a signature: %q", body)
		}
		for _, r := range []providers.Request{
			signedBy(platformKeyOnce(), platformSerial, body), event("TRANSACTION.SUCCESS", string(body)), event("REFUND.SUCCESS", string(body)),
		} {
			checkFuzzed(t, c, r)
		}
	})
}

// checkFuzzed checks what must be true of anything that is accepted.
func checkFuzzed(t *testing.T, c *Channel, r providers.Request) {
	t.Helper()
	got, refusal, err := c.Read(r)
	if err != nil {
		if len(got.Notices) > 0 || refusal.Reason == domain.ReasonNone || len(refusal.OrderNo) > 200 {
			t.Fatalf("refused as %+v with %+v", refusal, got)
		}
		return
	}
	for _, n := range got.Notices {
		moved := n.Status == domain.StatusPaid || n.Status == domain.StatusSucceeded
		if moved && (!n.Amount.IsPositive() || n.OrderNo == "") {
			t.Fatalf("moves %+v", n)
		}
		if n.Status == domain.StatusPaid && n.ProviderStatus != "SUCCESS" && n.ProviderStatus != "REFUND" {
			t.Fatalf("%q is money", n.ProviderStatus)
		}
	}
	again, err := c.Reverify(got.Evidence)
	if err != nil || !slices.EqualFunc(again, got.Notices, providers.SameContent) {
		t.Fatalf("from its evidence: %+v, %v, want %+v", again, err, got.Notices)
	}
}

// FuzzReadV2 gives a v2 channel any body, as it is and rightly signed.
func FuzzReadV2(f *testing.F) {
	f.Add(signedV2(fieldsV2(f), apiKey, SignMD5))
	f.Add([]byte(`<xml><return_code>SUCCESS</return_code><req_info>AAAAAAAAAAAAAAAAAAAAAA==</req_info></xml>`))
	f.Add([]byte("<xml><a/><b>&lt;</b></xml>"))
	c := newChannel(f, configV2())
	f.Fuzz(func(t *testing.T, body []byte) {
		checkFuzzed(t, c, xmlRequest(body))
		fields, err := ScanXML(body, "xml")
		if err != nil || fields.twin(fieldSign) {
			return
		}
		checkFuzzed(t, c, xmlRequest(signedV2(fields, apiKey, SignMD5)))
	})
}

// FuzzScanXML compares the scanner with encoding/xml: what it takes, the other
// reads in the same way.
func FuzzScanXML(f *testing.F) {
	f.Add([]byte("<xml><a><![CDATA[x]]></a><b>1 &amp; 2</b><c/></xml>"))
	f.Add(vector(f, "req_info.xml"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fields, err := ScanXML(data, "xml")
		if err != nil {
			return
		}
		want, err := plainly(data)
		if err != nil {
			t.Fatalf("%q is no XML: %v", data, err)
		}
		read := slices.Clone(fields)
		for i := range read {
			read[i].Value = strings.ReplaceAll(strings.ReplaceAll(read[i].Value, "\r\n", "\n"), "\r", "\n")
		}
		if !slices.Equal(read, want) {
			t.Fatalf("%q is read as %q, want %q", data, fields, want)
		}
		if again, err := ScanXML(AppendXML(nil, "xml", fields), "xml"); err != nil || !slices.Equal(again, fields) {
			t.Fatalf("%q is written as something else: %q, %v", fields, again, err)
		}
	})
}

// plainly reads flat XML with the standard library, which brings line ends to
// line feeds.
func plainly(data []byte) (fields Fields, err error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	depth, value := 0, ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return fields, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth, value = depth+1, ""
		case xml.CharData:
			value += string(token)
		case xml.EndElement:
			if depth--; depth == 1 {
				fields = append(fields, Field{token.Name.Local, value})
			}
		}
	}
}

// FuzzReqInfo opens any text, and seals any.
func FuzzReqInfo(f *testing.F) {
	f.Add(string(vector(f, "req_info.b64")))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = OpenReqInfo(apiKey, text)
		if got, err := OpenReqInfo(apiKey, SealReqInfo(apiKey, []byte(text))); err != nil || string(got) != text {
			t.Fatalf("%q comes back as %q, %v", text, got, err)
		}
	})
}

// FuzzAnswer gives a channel any bytes as a signed answer to a query.
func FuzzAnswer(f *testing.F) {
	f.Add(200, vector(f, "payment.plain.json"))
	f.Add(200, []byte(refundAnswer))
	f.Add(404, []byte(noOrder))
	f.Add(500, []byte("<html>"))
	f.Add(200, []byte(orderV2()))
	f.Add(200, []byte(answerV2(Field{"out_trade_no", "1409811653"}, Field{"refund_count", "1"}, Field{"refund_id_0", "5"}, Field{"out_refund_no_0", "R1409811653"},
		Field{"refund_fee_0", "40"}, Field{"refund_status_0", "SUCCESS"})))
	c, v2 := newChannel(f, configV3()), newChannel(f, configV2())
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := response{status: status, header: signedBy(platformKeyOnce(), platformSerial, body).Header, body: body}
		for _, about := range []asked{{orderNo: orderNo}, {refundNo: "R" + orderNo}} {
			v, err := c.readAnswer(r, about, testNow)
			if err != nil || !v.found {
				continue
			}
			n := v.notices[0]
			if status != 200 || n.OrderNo == "" || (about.orderNo != "" && n.OrderNo != orderNo) || (n.Status == domain.StatusPaid && !n.Amount.IsPositive()) {
				t.Fatalf("%q is read as %+v", body, n)
			}
		}
		if v, err := v2.readAnswerV2(r, asked{orderNo: "1409811653"}); err == nil && v.found && !bytes.Contains(body, []byte("<sign>")) {
			t.Fatalf("v2 accepts %q", body)
		}
		checkAnswerV2(t, v2, status, body)
	})
}

// checkAnswerV2 reads the elements of any bytes as rightly signed answers of v2.
func checkAnswerV2(t *testing.T, c *Channel, status int, body []byte) {
	t.Helper()
	fields, err := ScanXML(body, "xml")
	if err != nil || fields.twin(fieldSign) {
		return
	}
	r := response{status: status, body: signedV2(fields, apiKey, SignMD5)}
	for _, about := range []asked{{orderNo: "1409811653"}, {refundNo: "R1409811653"}} {
		v, err := c.readAnswerV2(r, about)
		if err != nil || !v.found {
			continue
		}
		for _, n := range v.notices {
			moved := n.Status == domain.StatusPaid || n.Status == domain.StatusSucceeded
			if status != 200 || (about.orderNo != "" && n.OrderNo != about.orderNo) || (about.refundNo != "" && n.RefundNo != about.refundNo) ||
				(moved && !n.Amount.IsPositive()) {
				t.Fatalf("%q is read as %+v", body, n)
			}
		}
	}
}

// FuzzCertificates gives a channel any bytes as a signed answer about
// certificates: nothing but a sealed certificate is ever taken.
func FuzzCertificates(f *testing.F) {
	f.Add([]byte(`{"data":[{"serial_no":"5157F09EFDC096DE15EBE81A47057A7232F1B8E1","encrypt_certificate":{"nonce":"certnonce123","associated_data":"certificate","ciphertext":"AAAA"}}]}`))
	f.Add([]byte(`{"data":[]}`))
	c := newChannel(f, configV3())
	f.Fuzz(func(t *testing.T, body []byte) {
		r := response{status: 200, header: signedBy(platformKeyOnce(), platformSerial, body).Header, body: body}
		if found, err := c.readCertificates(r); err == nil && len(found) == 0 {
			t.Fatalf("%q has nothing and is taken", body)
		}
	})
}

// FuzzBill reads any bytes as both kinds of bill.
func FuzzBill(f *testing.F) {
	f.Add(vector(f, "tradebill.csv"))
	f.Add([]byte(fundFlow))
	f.Add(packedText(f, vector(f, "tradebill.csv")))
	f.Add([]byte("a,b\r\n`1,`2\r\n总交易单数,x\r\n`1,`1\r\n"))
	c := newChannel(f, configV3())
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range c.Bills() {
			all, err := readAll(c, bytes.NewReader(data), providers.BillFile{Question: providers.BillQuestion{Kind: kind, Day: billDay}})
			if err != nil && domain.KindOf(err) != domain.KindCorrupt {
				t.Fatalf("%q: %v", data, err)
			}
			for _, line := range all {
				if line.Amount.IsNegative() && line.Kind != domain.LineOther || domain.DayOf(line.At, c.zone) != billDay || line.Kind == "" {
					t.Fatalf("%q: %+v", data, line)
				}
			}
		}
	})
}

// FuzzFixed compares the reader of amounts with exact arithmetic on text.
func FuzzFixed(f *testing.F) {
	for _, text := range []string{"0.06000", "-0.02", "10.00", "", "1e9", "+1", "1.", ".1", "9999999999.999999", "١"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, d, ok := parseFixed(text)
		if !ok {
			return
		}
		if text != "" && d.String() != strings.TrimPrefix(canonical(text), "+") {
			t.Fatalf("%q is read as %s", text, d)
		}
		if !d.Shift(fixedPlaces).IsInteger() || d.Shift(fixedPlaces).IntPart() != int64(n) {
			t.Fatalf("%q is %d and %s", text, n, d)
		}
	})
}

// canonical takes the zeros off the end of a number's places.
func canonical(text string) string {
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if strings.Trim(text, "-0") == "" {
		return "0"
	}
	return text
}
