package sandbox

import (
	"embed"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"

	"counterfoil/sandbox/stage"
)

// maxBody is the longest request body read, in bytes.
const maxBody = 64 << 10

//go:embed pages
var pageFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"cut": stage.CutText, "provider": providerName, "sum": sumText,
}).ParseFS(pageFiles, "pages/*.html"))

// routes is the whole sandbox, under the path of Config.BaseURL if it has one:
// mounted faces below their names, the Epay gateway at the root.
func (s *Sandbox) routes() http.Handler {
	root := s.gatewayRoutes()
	return s.common(http.StripPrefix(s.rootPath(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, below := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if m, err := s.mounted(name); below && err == nil && m.routes != nil {
			m.routes.ServeHTTP(w, r)
			return
		}
		root.ServeHTTP(w, r)
	})))
}

// gatewayRoutes is the Epay gateway and the control interface.
func (s *Sandbox) gatewayRoutes() http.Handler {
	mux := http.NewServeMux()
	for _, method := range []string{"GET ", "POST "} {
		mux.HandleFunc(method+"/submit.php", s.submit(V1, "return_url"))
		mux.HandleFunc(method+"/mapi.php", s.create(V1, "type", "clientip"))
		mux.HandleFunc(method+"/api.php", s.apiV1)
		mux.HandleFunc(method+"/api/pay/submit", s.submit(V2, "return_url"))
	}
	mux.HandleFunc("POST /api/pay/create", s.create(V2, "return_url", "clientip", "method"))
	mux.HandleFunc("POST /api/pay/query", s.signed(s.queryV2))
	mux.HandleFunc("POST /api/pay/refund", s.signed(s.refundV2))
	mux.HandleFunc("POST /api/pay/refundquery", s.signed(s.refundQueryV2))
	mux.HandleFunc("POST /api/merchant/orders", s.signed(s.ordersV2))
	mux.HandleFunc("POST /api/merchant/info", s.signed(s.infoV2))
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, no(-5, "接口不存在 (no such method)").object())
	})
	mux.HandleFunc("GET /pay/{trade_no}", s.payPage)

	// What changes the sandbox from a browser must come from its own pages.
	guard := http.NewCrossOriginProtection()
	mux.Handle("POST /pay/{trade_no}", guard.Handler(http.HandlerFunc(s.payPressed)))
	mux.Handle("/sandbox/", guard.Handler(s.controlRoutes()))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.rootPath()+"/sandbox/", http.StatusSeeOther)
	})
	return mux
}

// faceRoutes is a face below its name, with the page where its payers pay. A
// provider's own calls may lie below /pay/, too, as those of WeChat Pay v2 do;
// they are POSTs to what is no order's number.
func (s *Sandbox) faceRoutes(m mount) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /pay/{id}", func(w http.ResponseWriter, r *http.Request) { s.facePayPage(w, r, m.face) })
	guard := http.NewCrossOriginProtection()
	mux.Handle("POST /pay/{id}", guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.facePayPressed(w, r, m.face)
	})))
	routes := m.face.Routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, below := strings.CutPrefix(r.URL.Path, "/pay/")
		if below && r.Method == http.MethodPost {
			_, err := orderOf(m.face, id)
			below = err == nil
		}
		if below {
			mux.ServeHTTP(w, r)
			return
		}
		routes.ServeHTTP(w, r)
	})
}

// rootPath is the path part of the base URL, without a slash at its end.
func (s *Sandbox) rootPath() string {
	u, err := url.Parse(s.cfg.BaseURL)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/")
}

// common bounds bodies, sets the headers of every page and learns the root's
// name from the request where no configuration gives it.
func (s *Sandbox) common(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.cfg.BaseURL == "" && r.Host != "" {
			scheme := "http://"
			if r.TLS != nil {
				scheme = "https://"
			}
			if root, old := scheme+r.Host, s.origin.Load(); old == nil || *old != root {
				s.origin.Store(&root)
			}
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action *; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// orderFields reads a form to open an order. If the query string carries a
// pid, the body is not looked at.
func orderFields(r *http.Request) (fields, error) {
	query := readForm(r.URL.RawQuery)
	if query["pid"] != "" || r.Method != http.MethodPost {
		return query, nil
	}
	return bodyFields(r)
}

func bodyFields(r *http.Request) (fields, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	return readForm(string(body)), nil
}

// object is the refusal as the API answers it.
func (r *refusal) object() object {
	return object{{"code", r.code}, {"msg", r.msg}}
}

func writeRefusal(w http.ResponseWriter, r *refusal) { writeJSON(w, r.status, r.object()) }

func writeJSON(w http.ResponseWriter, status int, o object) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	w.Write(o.json()) //nolint:gosec // JSON by its content type, and nosniff
}

// unreadable answers a body that was too long or broke off.
func unreadable(w http.ResponseWriter) {
	http.Error(w, "请求过大或中断 (request too long or broken off)", http.StatusRequestEntityTooLarge)
}
