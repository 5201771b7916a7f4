package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/config"
)

// remote is how a command reaches the API: what its flags say.
type remote struct {
	api string // --api
	key string // --key
}

// addRemote gives a command the flags to reach the API.
func (r *remote) addFlags(cmds ...*cobra.Command) {
	for _, cmd := range cmds {
		cmd.Flags().StringVar(&r.api, "api", "", "`URL` of the API; without it the configured listen address")
		cmd.Flags().StringVar(&r.key, "key", "", "API `KEY`; without it $"+config.EnvKey+", then DIR/"+secretsFolder+"/"+adminKeyFile)
	}
}

// client speaks to /v1 of one installation.
type client struct {
	base, key string
	http      *http.Client
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// connect finds the API's address and a key. The configuration is read only for
// what the flags and the environment do not say.
func (p *program) connect(r remote) (*client, error) {
	c := &client{base: r.api, key: r.key, http: &http.Client{}}
	if c.key == "" {
		c.key = p.getenv(config.EnvKey)
	}
	if c.base == "" || c.key == "" {
		cfg, err := p.load()
		if err != nil {
			return nil, err
		}
		if c.base == "" {
			c.base = apiAddress(cfg.Listen)
		}
		if c.key == "" {
			if c.key, err = adminKey(cfg); err != nil {
				return nil, err
			}
		}
	}
	if u, err := url.Parse(c.base); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, domain.EField(domain.KindInvalid, "--api", "%q: must be an http(s) address", c.base)
	}
	c.base = strings.TrimSuffix(c.base, "/")
	return c, nil
}

// apiAddress is where a listener can be reached from this machine.
func apiAddress(listen string) string {
	host, port, _ := net.SplitHostPort(listen) // the configuration was checked
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func adminKey(cfg config.Config) (string, error) {
	path := filepath.Join(cfg.Dir, secretsFolder, adminKeyFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", domain.EField(domain.KindInvalid, "--key", "no API key: give one with --key or $%s, or keep it in %s (%w)",
			config.EnvKey, path, err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// call makes one request. in is sent as JSON unless nil; the answer is read
// into out.
func (c *client) call(ctx context.Context, method, path string, header http.Header, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return domain.E(domain.KindUnavailable, "the API at %s does not answer; is it running? (%w)", c.base, cause(err))
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return domain.E(domain.KindUnavailable, "read the answer of %s: %w", c.base, err)
	}
	if res.StatusCode >= 300 {
		return problemOf(res.StatusCode, raw)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not of this API: %w", method, c.base+path, err)
	}
	return nil
}

// download writes what a path answers to w, all of it or an error.
func (c *client) download(ctx context.Context, path string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	res, err := c.http.Do(req)
	if err != nil {
		return domain.E(domain.KindUnavailable, "the API at %s does not answer; is it running? (%w)", c.base, cause(err))
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		if err != nil {
			return domain.E(domain.KindUnavailable, "read the answer of %s: %w", c.base, err)
		}
		return problemOf(res.StatusCode, raw)
	}
	if _, err := io.Copy(w, res.Body); err != nil {
		return domain.E(domain.KindUnavailable, "read the answer of %s: %w", c.base, err)
	}
	return nil
}

// cause is err without the request's address, which is told already.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// problemOf turns an API problem into an error of the kind it names.
func problemOf(status int, raw []byte) error {
	var p httpapi.Problem
	if err := json.Unmarshal(raw, &p); err != nil || p.Status == 0 {
		return fmt.Errorf("the API answered %d, and not as Counterfoil does; check --api", status)
	}
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, f := range p.Errors {
		if f.Message != p.Detail {
			text += "; " + strings.TrimPrefix(f.Field+": "+f.Message, ": ")
		}
	}
	if p.RequestID != "" {
		text += " (request " + p.RequestID + ")"
	}
	return domain.E(kindNamed(p.Code), "%s", text)
}

// kindNamed is the kind with an API code.
func kindNamed(code string) domain.Kind {
	for k := domain.KindInternal; k <= domain.KindCorrupt; k++ {
		if k.String() == code {
			return k
		}
	}
	return domain.KindInternal
}

// query is path with the values that are not empty.
func query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
