package wechatpay

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // the hash that WeChat names
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// file is a bill that can be downloaded for five minutes.
type file struct {
	body  []byte
	until time.Time
}

// monthsKept is how far back bills can be asked for.
const monthsKept = 3

// billTimes says whether a day's bill is made: from ten in the morning of the
// next day on.
func (f *Face) billTimes(m *merchant, text string) (domain.Day, error) {
	day, err := domain.ParseDay(text)
	now := f.stage.Books()
	switch {
	case err != nil || day > domain.DayOf(now, stage.China) || day < domain.DayOf(now.AddDate(0, -monthsKept, 0), stage.China):
		return "", trouble{http.StatusBadRequest, "PARAM_ERROR", "bill_date"}
	case now.Before(day.Add(1).Start(stage.China).Add(10 * time.Hour)), f.billFault(m) == stage.BillLate:
		return "", trouble{http.StatusBadRequest, "STATEMENT_CREATING", "账单生成中"}
	}
	return day, nil
}

func (f *Face) billFault(m *merchant) stage.Class {
	return f.troubles.Bill(m.id(), f.stage.Now()).Class
}

var errNoStatement = trouble{http.StatusBadRequest, "NO_STATEMENT_EXIST", "账单文件不存在"}

// tradeBill is of one merchant; a partner names which of his.
func (f *Face) tradeBill(c *call) (any, error) {
	if err := c.on(c.r.URL.Query().Get("sub_mchid")); err != nil {
		return nil, err
	}
	return f.offer(c, func(day domain.Day) bill { return f.trades(c.m, day, c.r.URL.Query().Get("bill_type")) })
}

// fundBill is of the balance of whoever asks: a partner's own, on which nothing
// moves here, and not that of his merchants.
func (f *Face) fundBill(c *call) (any, error) {
	return f.offer(c, func(day domain.Day) bill {
		if c.m.SubMchID != "" {
			return nil
		}
		return f.funds(c.m, day)
	})
}

// offer answers where a bill is and what its text hashes to. A bill that grows
// has one row more when it is downloaded than when it was hashed.
func (f *Face) offer(c *call, of func(domain.Day) bill) (any, error) {
	query := c.r.URL.Query()
	day, err := f.billTimes(c.m, query.Get("bill_date"))
	if err != nil {
		return nil, err
	}
	rows := of(day)
	if rows == nil {
		return nil, errNoStatement
	}
	csv := rows.text(rows.len())
	sum := sha1.Sum(csv)
	fault := f.billFault(c.m)
	switch fault {
	case BillHash:
		sum = sha1.Sum(append(csv, '\n'))
	case stage.BillGrows:
		sum = sha1.Sum(rows.text(rows.len() - 1))
	default:
	}
	body := csv
	if query.Get("tar_type") == "GZIP" {
		body = packed(csv)
	}
	if fault == stage.BillCut {
		body = body[:len(body)*2/3]
	}
	return map[string]string{
		"hash_type": "SHA1", "hash_value": hex.EncodeToString(sum[:]),
		"download_url": f.base + "/v3/billdownload/file?token=" + f.store(body),
	}, nil
}

// store keeps a file and forgets old ones.
func (f *Face) store(body []byte) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.stage.Now()
	for token, old := range f.files {
		if now.After(old.until) {
			delete(f.files, token)
		}
	}
	f.serial++
	token := digestHex(Name, "file", whole(int64(f.serial)), now.String())
	f.files[token] = file{body: body, until: now.Add(5 * time.Minute)}
	return token
}

// download hands a bill over. Its request is signed like any, its answer is not.
func (f *Face) download(w http.ResponseWriter, r *http.Request) {
	if _, err := f.authenticate(r, nil); err != nil {
		http.Error(w, `{"code":"SIGN_ERROR"}`, http.StatusUnauthorized)
		return
	}
	f.mu.Lock()
	found, ok := f.files[r.URL.Query().Get("token")]
	f.mu.Unlock()
	if !ok || f.stage.Now().After(found.until) {
		http.Error(w, `{"code":"RESOURCE_NOT_EXISTS"}`, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Write(found.body)
}

func packed(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text) //nolint:errcheck // a buffer takes everything
	z.Close()
	return b.Bytes()
}

// downloadV2 hands the bill itself over, or XML that says why not.
func (f *Face) downloadV2(c *callV2) (form, error) {
	text := c.in.Value("bill_date")
	if len(text) == 8 {
		text = text[:4] + "-" + text[4:6] + "-" + text[6:]
	}
	day, err := f.billTimes(c.m, text)
	var csv []byte
	if err == nil {
		csv = f.textV2(c, day)
	}
	switch {
	case err != nil && strings.Contains(err.Error(), "STATEMENT_CREATING"):
		c.noBill("20003", "Bill Creating")
	case err != nil:
		c.noBill("20001", "invalid bill_date")
	case csv == nil:
		c.noBill("20002", "No Bill Exist")
	default:
		if c.in.Value("tar_type") == "GZIP" {
			csv = packed(csv)
		}
		if f.billFault(c.m) == stage.BillCut {
			csv = csv[:len(csv)*2/3]
		}
		c.w.Header().Set("Content-Type", "application/octet-stream")
		c.w.Write(csv)
	}
	return nil, errAnswered
}

// textV2 is a bill as v2 hands it over, at once: one that grows has more rows
// than its totals count.
func (f *Face) textV2(c *callV2, day domain.Day) []byte {
	rows := f.trades(c.m, day, c.in.Value("bill_type"))
	switch {
	case rows == nil:
		return nil
	case f.billFault(c.m) == stage.BillGrows:
		return rows.text(rows.len() - 1)
	}
	return rows.text(rows.len())
}

func (c *callV2) noBill(code, why string) {
	c.page(xmlOf(form{{Name: "return_code", Value: "FAIL"}, {Name: "return_msg", Value: why}, {Name: "error_code", Value: code}}))
}
