package alipay

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	wire "counterfoil/providers/alipay"
	"counterfoil/sandbox/stage"
)

// maxBody is the longest request that is read, in bytes.
const maxBody = 256 << 10

// mux is the provider's API: one address for all methods, and the downloads.
func (f *Face) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/gateway.do", f.gateway)
	mux.HandleFunc("GET /downloadBillFile.resource", f.download)
	return mux
}

// request is a question whose signature holds.
type request struct {
	m       *merchant
	method  string
	fields  wire.Params
	content strictjson.Members
}

func (r request) text(name string) string {
	text, _ := r.content.Text(name)
	return text
}

// answer is the inner object of an answer, in its order.
type answer []member

type member struct{ name, value string }

// ok begins an answer that says yes.
func ok(members ...member) answer {
	return append(answer{{"code", "10000"}, {"msg", "Success"}}, members...)
}

// no is an answer that says no.
func no(code, sub, why string, members ...member) answer {
	msg := map[string]string{
		"20000": "Service Currently Unavailable", "40001": "Missing Required Arguments", "40002": "Invalid Arguments",
		"40004": "Business Failed", "40006": "Insufficient Permissions",
	}[code]
	return append(answer{{"code", code}, {"msg", msg}, {"sub_code", sub}, {"sub_msg", why}}, members...)
}

// object is a as JSON, empty values left out.
func (a answer) object() string {
	text := "{"
	for _, m := range a {
		if m.value == "" {
			continue
		}
		if text != "{" {
			text += ","
		}
		text += quote(m.name) + ":" + quote(m.value)
	}
	return text + "}"
}

func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic("alipay: a string has no JSON: " + err.Error())
	}
	return string(b)
}

// gateway answers every method: pages to browsers, signed JSON to programs.
func (f *Face) gateway(w http.ResponseWriter, r *http.Request) {
	fields, err := fieldsOf(w, r)
	if err != nil {
		unsigned(w, no("40002", "isv.invalid-format", "请求不可读"))
		return
	}
	m := f.merchants[fields.Value("app_id")]
	if m == nil {
		unsigned(w, no("40002", "isv.invalid-app-id", "无效的AppID参数"))
		return
	}
	q := request{m: m, method: fields.Value("method"), fields: fields}
	if a := q.check(); a != nil {
		f.reply(w, q, a, stage.Fault{})
		return
	}
	switch q.method {
	case "alipay.trade.page.pay", "alipay.trade.wap.pay":
		f.payPage(w, r, q)
	default:
		f.call(w, r, q)
	}
}

// fieldsOf are the fields of the address and of the form together, as the
// gateway takes them: the charset stands in the address.
func fieldsOf(w http.ResponseWriter, r *http.Request) (wire.Params, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, err
	}
	var fields wire.Params
	for _, text := range [...]string{r.URL.RawQuery, string(body)} {
		values, err := url.ParseQuery(text)
		if err != nil {
			return nil, err
		}
		for name, v := range values {
			if _, twice := fields.Lookup(name); twice || len(v) != 1 {
				return nil, domain.E(domain.KindInvalid, "the parameter %s comes twice", name)
			}
			fields = append(fields, wire.Param{Name: name, Value: v[0]})
		}
	}
	return fields, nil
}

// check verifies a question. The application's key is the one that counts.
func (r *request) check() answer {
	for _, name := range [...]string{"method", "sign", "sign_type", "timestamp", "version", "charset"} {
		if r.fields.Value(name) == "" {
			return no("40001", "isv.missing-"+name, "缺少参数")
		}
	}
	if r.fields.Value("sign_type") != wire.SignRSA2 ||
		!wire.Verify(wire.RequestText(r.fields), r.fields.Value("sign"), &r.m.app.PublicKey) {
		return no("40002", "isv.invalid-signature", "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配")
	}
	var err error
	if r.content, err = strictjson.Object([]byte(r.fields.Value("biz_content"))); err != nil {
		return no("40002", "isv.invalid-parameter", "biz_content不是JSON")
	}
	return nil
}

// payPage takes a signed order and sends the payer to the sandbox's page.
func (f *Face) payPage(w http.ResponseWriter, r *http.Request, q request) {
	amount, err := domain.ParseMoney(q.text("total_amount"), domain.CNY)
	if err != nil {
		http.Error(w, "INVALID_PARAMETER total_amount", http.StatusOK)
		return
	}
	passback, err := url.QueryUnescape(q.text("passback_params"))
	if err != nil {
		passback = ""
	}
	o, err := f.Open(stage.OpenOrder{
		Merchant: q.m.AppID, OrderNo: q.text("out_trade_no"), Amount: amount, Subject: q.text("subject"),
		NotifyURL: q.fields.Value("notify_url"), ReturnURL: q.fields.Value("return_url"), Attach: passback,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusOK)
		return
	}
	http.Redirect(w, r, f.base+"/pay/"+o.ID, http.StatusFound)
}

// call answers a program.
func (f *Face) call(w http.ResponseWriter, r *http.Request, q request) {
	o := f.asked(q)
	id := ""
	if o != nil {
		id = o.id
	}
	fault := f.troubles.Take(q.m.AppID, id, f.stage.Now())
	if stage.Spoil(w, r, fault) {
		return
	}
	switch fault.Class {
	case QueryBusy:
		f.reply(w, q, no("20000", "isp.unknow-error", "系统繁忙"), fault)
		return
	case QueryError:
		unsigned(w, no("20000", "isp.unknow-error", "系统繁忙"))
		return
	case stage.QueryLimited:
		f.reply(w, q, no("40002", "isv.app-call-limited", "应用调用次数超限"), fault)
		return
	case stage.QueryMissing:
		f.reply(w, q, notExist(q.text("out_trade_no")), fault)
		return
	default:
	}
	f.reply(w, q, f.answerTo(q, o), fault)
}

// answerTo does what a method asks for.
func (f *Face) answerTo(q request, o *order) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch q.method {
	case "alipay.trade.query":
		return f.query(q, o)
	case "alipay.trade.refund":
		return f.refund(q, o)
	case "alipay.trade.fastpay.refund.query":
		return f.refundQuery(q, o)
	case "alipay.trade.close":
		return f.closeTrade(q, o)
	case "alipay.data.dataservice.bill.downloadurl.query":
		return f.billAddress(q)
	}
	return no("40002", "isv.invalid-method", "不存在的方法名")
}

// reply signs an answer and sends it, unless a fault wants it otherwise.
func (f *Face) reply(w http.ResponseWriter, q request, a answer, fault stage.Fault) {
	inner := a.object()
	signer := f.signer(q.m)
	if fault.Class == stage.QueryForged {
		signer = q.m.app // anybody's but Alipay's
	}
	sign, err := wire.Sign(inner, signer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	body := "{" + quote(answerName(q.method)) + ":" + inner
	if fault.Class != stage.QueryUnsigned {
		body += `,"sign":` + quote(sign)
	}
	write(w, body+"}")
}

// unsigned is how the gateway answers whom it does not know.
func unsigned(w http.ResponseWriter, a answer) { write(w, `{"error_response":`+a.object()+`}`) }

func write(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.Write([]byte(body))
}

func answerName(method string) string {
	name := []byte(method + "_response")
	for i, b := range name {
		if b == '.' {
			name[i] = '_'
		}
	}
	return string(name)
}
