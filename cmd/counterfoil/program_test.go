package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"counterfoil/internal/config"
)

// runWith runs the command against an API that answers every request so.
func runWith(t *testing.T, status int, answer string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer cf_key" {
			t.Errorf("request without the key: %v", r.Header)
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, answer)
	}))
	defer api.Close()
	var out, errs bytes.Buffer
	p := &program{
		args: append(args, "--api", api.URL), environ: []string{config.EnvKey + "=cf_key"}, stdout: &out, stderr: &errs,
		clock: time.Now,
	}
	code = p.run(t.Context())
	return code, out.String(), errs.String()
}

// An incomplete run is never a difference, and a difference is told first.
func TestReconcileRunExitCodes(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{
		`{"id":"sweep-1","state":"complete","asked":3}`:                            exitOK,
		`{"id":"sweep-1","state":"complete","asked":3,"healed":2}`:                 exitOK,
		`{"id":"sweep-1","state":"incomplete","asked":3,"unanswered":1}`:           exitIncomplete,
		`{"id":"sweep-1","state":"complete","asked":3,"differing":1}`:              exitDiffers,
		`{"id":"sweep-1","state":"incomplete","asked":3,"differing":1}`:            exitDiffers,
		`{"id":"sweep-1","state":"running","asked":0,"note":"another is at work"}`: exitIncomplete,
	} {
		code, out, errs := runWith(t, http.StatusCreated, answer, "reconcile", "run")
		if code != want || !strings.Contains(out, "sweep-1") || errs != "" {
			t.Errorf("%s: exit %d, want %d\n%s%s", answer, code, want, out, errs)
		}
	}
}

// A problem is told by its words and fields, once, and its kind gives the code.
func TestProblemsOfTheAPI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		answer string
		code   int
		says   string
	}{
		{
			422, `{"status":422,"code":"invalid","detail":"amount: \"x\" is no amount","errors":[{"field":"amount","message":"amount: \"x\" is no amount"}],"request_id":"r1"}`,
			exitUsage, "counterfoil: amount: \"x\" is no amount (request r1)\n",
		},
		{
			422, `{"status":422,"code":"invalid","title":"wrong","detail":"validation failed","errors":[{"field":"query.limit","message":"too large"}]}`,
			exitUsage, "counterfoil: validation failed; query.limit: too large\n",
		},
		{404, `{"status":404,"code":"not_found","title":"not found"}`, exitFailure, "counterfoil: not found\n"},
		{503, `{"status":503,"code":"unavailable","detail":"the disk is full"}`, exitFailure, "counterfoil: the disk is full\n"},
		{502, `<html>bad gateway</html>`, exitFailure, "the API answered 502, and not as Counterfoil does; check --api"},
		{200, `<html>hello</html>`, exitFailure, "the answer is not of this API"},
	} {
		code, out, errs := runWith(t, c.status, c.answer, "reconcile", "show")
		if code != c.code || out != "" || !strings.Contains(errs, c.says) {
			t.Errorf("%d %s: exit %d, want %d\n%s%s", c.status, c.answer, code, c.code, out, errs)
		}
	}
}

// Foreign text cannot break the rows of a table.
func TestTableCells(t *testing.T) {
	t.Parallel()
	tab := newTable("A", ">B", "C")
	tab.add("x\ny", 7, "ünï")
	tab.add("long text", 12345, nil)
	var out bytes.Buffer
	if err := tab.print(&out); err != nil {
		t.Fatal(err)
	}
	want := "A              B  C\nx y            7  ünï\nlong text  12345  <nil>\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestAPIAddress(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", ":8080": "http://127.0.0.1:8080", "0.0.0.0:1": "http://127.0.0.1:1",
		"[::]:1": "http://127.0.0.1:1", "[::1]:1": "http://[::1]:1", "pay.example.com:80": "http://pay.example.com:80",
	} {
		if got := apiAddress(listen); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

// The file that init writes names every setting there is, so that nobody has to
// look for one elsewhere.
func TestConfigTextNamesEverySetting(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"live", "test"} {
		text := configText(initSettings{Mode: mode, Listen: "127.0.0.1:1", OpsListen: "127.0.0.1:2"})
		for _, r := range flatten("", reflect.ValueOf(config.Defaults())) {
			name := r.Setting[strings.LastIndexByte(r.Setting, '.')+1:]
			if !strings.Contains(text, name+":") {
				t.Errorf("%s: %s is not in it", mode, r.Setting)
			}
		}
		if left := placeholder.FindString(text); left != "" {
			t.Errorf("%s: %s was left", mode, left)
		}
	}
	live := configText(initSettings{Mode: "live"})
	for f := range reflect.TypeFor[config.Channel]().Fields() {
		name := f.Tag.Get("koanf")
		if name != "-" && name != "test" && name != "allow_plain_http" && !strings.Contains(live, name) {
			t.Errorf("the channel's setting %s is not in it", name)
		}
	}
}

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)
