package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

// single is a key that stands in the configuration or in a file of its own.
type single struct {
	name string
	file string
	into *providers.Secret
}

// several are keys that stand in the configuration or, one a line, in a file.
type several struct {
	name string
	file string
	into *[]providers.Secret
}

func (ch *Channel) singles() []single {
	return []single{
		{"key", ch.KeyFile, &ch.Key},
		{"merchant_key", ch.MerchantKeyFile, &ch.MerchantKey},
		{"api_v3_key", ch.APIv3KeyFile, &ch.APIv3Key},
		{"api_key", ch.APIKeyFile, &ch.APIKey},
		{"app_key", ch.AppKeyFile, &ch.AppKey},
	}
}

func (ch *Channel) severals() []several {
	return []several{
		{"old_api_v3_keys", ch.OldAPIv3KeysFile, &ch.OldAPIv3Keys},
		{"webhook_secrets", ch.WebhooksFile, &ch.Webhooks},
		{"retired_secrets", ch.RetiredFile, &ch.Retired},
	}
}

// SecretFiles are the files that hold secrets of this channel, those below dir
// by their whole path.
func (ch Channel) SecretFiles(dir string) []string {
	var files []string
	for _, s := range ch.singles() {
		files = append(files, s.file)
	}
	for _, s := range ch.severals() {
		files = append(files, s.file)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return f == "" })
	for i, f := range files {
		files[i] = below(dir, f)
	}
	return files
}

// Inline reports whether a secret of this channel stands in the configuration
// itself.
func (ch Channel) Inline() bool {
	return slices.ContainsFunc(ch.singles(), func(s single) bool { return s.file == "" && !s.into.IsZero() }) ||
		slices.ContainsFunc(ch.severals(), func(s several) bool { return s.file == "" && len(*s.into) > 0 })
}

// readFiles fills keys from their files. A key given twice is an error: one of
// them would be without effect.
func (ch *Channel) readFiles(dir string, field func(string) string) error {
	platform := providers.NewSecret(ch.PlatformKey)
	for _, s := range append(ch.singles(), single{"platform_key", ch.PlatformKeyFile, &platform}) {
		if s.file == "" {
			continue
		}
		if !s.into.IsZero() {
			return domain.EField(domain.KindInvalid, field(s.name), "set both here and as %s_file", s.name)
		}
		text, err := readKey(dir, s.file, field(s.name+"_file"))
		if err != nil {
			return err
		}
		*s.into = providers.NewSecret(text)
	}
	ch.PlatformKey = platform.Reveal()
	for _, s := range ch.severals() {
		if err := s.read(dir, field); err != nil {
			return err
		}
	}
	return ch.readPublicKeys(dir, field)
}

func (s several) read(dir string, field func(string) string) error {
	if s.file == "" {
		return nil
	}
	if len(*s.into) > 0 {
		return domain.EField(domain.KindInvalid, field(s.name), "set both here and as %s_file", s.name)
	}
	text, err := readKey(dir, s.file, field(s.name+"_file"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			*s.into = append(*s.into, providers.NewSecret(line))
		}
	}
	return nil
}

// readPublicKeys takes the provider's keys from the files that are named in
// their place.
func (ch *Channel) readPublicKeys(dir string, field func(string) string) error {
	for id, key := range ch.PlatformKeys {
		if strings.Contains(key, "-----BEGIN") {
			continue
		}
		text, err := readKey(dir, key, field("platform_keys."+id))
		if err != nil {
			return err
		}
		ch.PlatformKeys[id] = text
	}
	for id := range ch.RetiredKeys {
		if _, known := ch.PlatformKeys[id]; !known {
			return domain.EField(domain.KindInvalid, field("retired_platform_keys."+id), "is not one of platform_keys")
		}
	}
	return ch.readAlipayKeys(dir, field)
}

func (ch *Channel) readAlipayKeys(dir string, field func(string) string) error {
	keys := map[string][]*string{"app_cert": {&ch.AppCert}, "alipay_root_cert": {&ch.AlipayRootCert}}
	for i := range ch.AlipayKeys {
		keys["alipay_keys"] = append(keys["alipay_keys"], &ch.AlipayKeys[i])
	}
	for name, texts := range keys {
		for _, text := range texts {
			if *text == "" || !isFile(*text) {
				continue
			}
			read, err := readKey(dir, *text, field(name))
			if err != nil {
				return err
			}
			*text = read
		}
	}
	return nil
}

// isFile tells a file's name from a key: those in base64 begin as every RSA
// key does, and none is so short.
func isFile(key string) bool {
	return !strings.Contains(key, "-----BEGIN") && (!strings.HasPrefix(key, "MI") || len(key) < 128)
}

func readKey(dir, file, field string) (string, error) {
	raw, err := os.ReadFile(below(dir, file))
	if err != nil {
		return "", domain.EField(domain.KindInvalid, field, "%w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

func below(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}
