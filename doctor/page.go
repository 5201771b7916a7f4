package doctor

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"counterfoil/domain"
)

// judge compares an answer with our own refusal. The zero Result means that it
// is that; everything else is somebody else's words, and a callback would have
// met them too.
func judge(f Finding, c Channel, method string, a answer) Finding {
	want := c.Port.Reply(domain.OutcomeRefused)
	at := method + " " + c.CallbackURL
	switch {
	case strings.Contains(strings.ToLower(a.body), "success"):
		return f.fail(fmt.Sprintf("%s: %s with the word success in it: gateways take that for delivered, and the callback is lost", at, a.words()),
			"the api is not what answers there: correct public_url or the proxy's target", "返回内容含 success，平台会当作通知成功，回调会丢失！")
	case a.status == want.Status && strings.TrimSpace(a.body) == want.Body:
		return Finding{}
	case a.status >= 300 && a.status < 400:
		return redirected(f, at, c.CallbackURL, a)
	case a.blocked():
		return f.fail(fmt.Sprintf("%s: %s: a firewall or bot check stands before the api", at, a.words()),
			"let /callbacks/ through without challenge, for GET and POST and every caller", "WAF/CDN 拦截了回调：请为 /callbacks/ 放行")
	case a.status == http.StatusNotFound && strings.TrimSpace(a.body) == want.Body:
		return f.fail(at+": the api that answers has no such channel", "restart the api: it runs with an older configuration, or works on another folder", "api 未加载此渠道：请重启 api")
	case strings.TrimSpace(a.body) == want.Body:
		return f.fail(fmt.Sprintf("%s: the api answers, but with %d instead of %d", at, a.status, want.Status),
			"it cannot work now, see its log; or a proxy changes the status", "api 异常或反代修改了状态码")
	case a.status == http.StatusNotFound && strings.TrimSpace(a.body) == "not found":
		return f.fail(at+": the api answers, but not at this path", "the proxy changes the path: /callbacks/ must arrive as it is sent", "反代改写了路径：/callbacks/ 必须原样转发")
	case a.status >= 502 && a.status <= 504:
		return f.fail(fmt.Sprintf("%s: %s: the proxy does not reach the api", at, a.words()), "start the api; the proxy's target must be its listen address", "反代连不上 api：请启动 api 并检查转发端口")
	}
	return f.fail(fmt.Sprintf("%s: %s: that is not the api", at, a.words()),
		"correct public_url or the proxy's target, so that the api answers there", "应答的不是本系统：检查 public_url 与反代配置")
}

// redirected is about an answer that sends the caller elsewhere. Rainbow Epay
// follows no redirect and takes it for a failed notification.
func redirected(f Finding, at, address string, a answer) Finding {
	to := a.header.Get("Location")
	do := "give the address that answers itself: correct public_url, or take the redirect away for /callbacks/"
	from, err := url.Parse(address)
	target, terr := url.Parse(to)
	if err == nil && terr == nil && from.Scheme == "http" && target.Scheme == "https" {
		do = "set public_url to https://…: a redirect from http to https is a failed notification"
	}
	to, _, _ = strings.Cut(to, "?")
	return f.fail(fmt.Sprintf("%s: redirected (%d) to %s, and gateways do not follow", at, a.status, clip(to, 120)), do,
		"跳转 (301/302) 会导致通知失败：public_url 请直接填最终的 https 地址")
}

// blocked reports whether an answer is a firewall's page.
func (a answer) blocked() bool {
	if a.header.Get("Cf-Mitigated") != "" {
		return true
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotAcceptable, http.StatusTooManyRequests, 444, 468, 493:
		return true
	}
	text := strings.ToLower(a.body)
	for _, mark := range []string{
		"just a moment", "attention required", "captcha", "web application firewall", "safeline", "安全验证", "人机验证", "访问被拦截", "请求被拦截", "waf",
	} {
		if a.page() && strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

// page reports whether an answer is a web page.
func (a answer) page() bool {
	return strings.HasPrefix(strings.TrimSpace(a.body), "<") || strings.Contains(a.header.Get("Content-Type"), "text/html")
}

var pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// words describe an answer in short.
func (a answer) words() string {
	what := fmt.Sprintf("%q", clip(strings.TrimSpace(a.body), 60))
	if a.page() {
		what = "a web page"
		if m := pageTitle.FindStringSubmatch(a.body); m != nil {
			what += fmt.Sprintf(" titled %q", clip(strings.Join(strings.Fields(html.UnescapeString(m[1])), " "), 60))
		}
	}
	by := ""
	if server := a.header.Get("Server"); server != "" {
		by = " from " + clip(server, 40)
	}
	return fmt.Sprintf("status %d, %s%s", a.status, what, by)
}

// clip shortens foreign text, never within a character.
func clip(s string, n int) string {
	r := []rune(strings.ToValidUTF8(s, "�"))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n]) + "…"
}
