package stage

import "testing"

func TestChannelAsConfiguration(t *testing.T) {
	t.Parallel()
	c := Channel{ID: "wx", Settings: []Setting{
		{"provider", "wechatpay"},
		{"gateway", "http://127.0.0.1:7080/wechatpay"},
		{"mchid", "1900000109"},
		{"appids", []string{"wx1", "wx2"}},
		{"platform_keys", map[string]string{"PUB_KEY_ID_2": "-----BEGIN\nx", "51E": "y"}},
		{"test", true},
	}}
	want := `  other:
    provider: wechatpay
    gateway: http://127.0.0.1:7080/wechatpay
    mchid: "1900000109"
    appids: ["wx1", "wx2"]
    platform_keys:
      "51E": "y"
      "PUB_KEY_ID_2": "-----BEGIN\nx"
    test: true
    confirm_by_query: always
`
	if got := c.YAML("other", Setting{"confirm_by_query", "always"}); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
