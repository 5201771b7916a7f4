package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
)

// newSignKeyCommand is about keys with which people sign their approvals.
func newSignKeyCommand(p *program) *cobra.Command {
	var r remote
	add, list := newSignKeyAddCommand(p, &r), newSignKeyListCommand(p, &r)
	confirm := newSignKeyDecideCommand(p, &r, "confirm", "Confirm another person's key", "Compare the fingerprint with its owner first, by voice or in person.")
	retire := newSignKeyDecideCommand(p, &r, "retire", "Retire a key for ever", "Its owner approves nothing until another key of theirs is confirmed.")
	r.addFlags(add, list, confirm, retire)
	return group("sign-key", "People's own keys, with which they sign approvals", newSignKeyMakeCommand(p), add, list, confirm, retire)
}

func newSignKeyMakeCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "make FILE", Short: "Make a key of your own; it stays in FILE", Args: cobra.ExactArgs(1),
		Long:    "Makes an Ed25519 key and writes it to FILE (PKCS #8, mode 0600). It leaves the file never; an existing file is left alone.",
		Example: "  counterfoil keys sign-key make ~/counterfoil-sign.pem",
		RunE: p.begin(func(_ context.Context, args []string) error {
			public, private, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return fmt.Errorf("make a key: %w", err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(private)
			if err != nil {
				return fmt.Errorf("make a key: %w", err)
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return domain.EField(domain.KindInvalid, "FILE", "%w", err)
			}
			if _, err := f.Write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
				return fmt.Errorf("write %s: %w", args[0], err)
			}
			if err := f.Close(); err != nil {
				return fmt.Errorf("write %s: %w", args[0], err)
			}
			fmt.Fprintln(p.stdout, domain.KeyFingerprint(public))
			return nil
		}),
	}
}

// readSignKey reads a person's private key. One that others may read is refused:
// it would prove nothing.
func readSignKey(path string) (ed25519.PrivateKey, error) {
	wrong := func(err error) error { return domain.EField(domain.KindInvalid, "--sign-key", "%s: %w", path, err) }
	info, err := os.Stat(path)
	if err != nil {
		return nil, wrong(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, domain.EField(domain.KindInvalid, "--sign-key", "%s can be read by others (mode %o): chmod 600 it", path, info.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, wrong(err)
	}
	block, rest := pem.Decode(raw)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, domain.EField(domain.KindInvalid, "--sign-key", "%s is not one PEM block of a private key", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "--sign-key", "%s holds no private key", path)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, domain.EField(domain.KindInvalid, "--sign-key", "%s holds no Ed25519 key", path)
	}
	return private, nil
}

func publicOf(private ed25519.PrivateKey) []byte {
	public, _ := private.Public().(ed25519.PublicKey)
	return public
}

func newSignKeyAddCommand(p *program, r *remote) *cobra.Command {
	var person string
	cmd := &cobra.Command{
		Use: "add FILE --person NAME", Short: "Propose your key; another person confirms it", Args: cobra.ExactArgs(1),
		Example: "  counterfoil keys sign-key add ~/counterfoil-sign.pem --person wang --key cf_… --dir /srv/pay",
		RunE: p.begin(func(ctx context.Context, args []string) error {
			private, err := readSignKey(args[0])
			if err != nil {
				return err
			}
			c, err := p.connect(*r)
			if err != nil {
				return err
			}
			id, err := p.ledgerID(ctx, c)
			if err != nil {
				return err
			}
			now, public := domain.Instant(p.clock()), publicOf(private)
			return p.oneSignKey(ctx, c, "", map[string]any{
				"public": hex.EncodeToString(public), "signed_at": now,
				"proof": hex.EncodeToString(ed25519.Sign(private, domain.KeyStatement(id, person, domain.KeyFingerprint(public), now))),
			})
		}),
	}
	cmd.Flags().StringVar(&person, "person", "", "your `NAME`, as your API key has it")
	_ = cmd.MarkFlagRequired("person")
	p.addOutput(cmd, "table")
	return cmd
}

// ledgerID is the id of the ledger behind an API: its first event's.
func (p *program) ledgerID(ctx context.Context, c *client) (domain.ID, error) {
	var out struct {
		Ledger string `json:"ledger"`
	}
	if err := c.call(ctx, http.MethodGet, "/v1/sign-keys", nil, nil, &out); err != nil {
		return domain.ID{}, err
	}
	return domain.ParseID(out.Ledger)
}

func newSignKeyListCommand(p *program, r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List people's own keys", Args: cobra.NoArgs, Example: "  counterfoil keys sign-key list --dir /srv/pay",
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			c, err := p.connect(*r)
			if err != nil {
				return err
			}
			var out struct {
				Keys []httpapi.SignKey `json:"keys"`
			}
			if err := c.call(ctx, http.MethodGet, "/v1/sign-keys", nil, nil, &out); err != nil {
				return err
			}
			return p.printSignKeys(out.Keys)
		}),
	}
	p.addOutput(cmd, "table")
	return cmd
}

func newSignKeyDecideCommand(p *program, r *remote, verb, short, long string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: verb + " FINGERPRINT", Short: short, Long: long, Args: cobra.ExactArgs(1),
		Example: "  counterfoil keys sign-key " + verb + " sha256:0a1b… --reason \"read to me on the phone\" --dir /srv/pay",
		RunE: p.begin(func(ctx context.Context, args []string) error {
			c, err := p.connect(*r)
			if err != nil {
				return err
			}
			return p.oneSignKey(ctx, c, "/"+args[0]+"/"+verb, map[string]string{"reason": reason})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) oneSignKey(ctx context.Context, c *client, place string, in any) error {
	var one httpapi.SignKey
	path := (&url.URL{Path: "/v1/sign-keys" + place}).EscapedPath()
	if err := c.call(ctx, http.MethodPost, path, nil, in, &one); err != nil {
		return err
	}
	return p.printSignKeys([]httpapi.SignKey{one})
}

func (p *program) printSignKeys(rows []httpapi.SignKey) error {
	t := newTable("FINGERPRINT", "PERSON", "STATE", "ASKED AT", "CONFIRMED BY", "RETIRED BY", "OBTAINED")
	return printRows(p, rows, t, func(k httpapi.SignKey) {
		t.add(k.Fingerprint, k.Person, k.State, k.AskedAt, k.ConfirmedBy, k.RetiredBy, k.Obtained)
	})
}
