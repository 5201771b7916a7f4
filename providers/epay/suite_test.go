package epay

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/providers/providertest"
)

// replies is the protocol's answer for every outcome.
func replies() map[domain.Outcome]domain.Reply {
	table := map[domain.Outcome]domain.Reply{
		domain.OutcomeRefused: {Status: 400, ContentType: "text/plain", Body: "fail"},
		domain.OutcomeFailed:  {Status: 503, ContentType: "text/plain", Body: "fail"},
	}
	for _, o := range []domain.Outcome{
		domain.OutcomeCredited, domain.OutcomeRepeated, domain.OutcomeHeld, domain.OutcomeParked, domain.OutcomeNoted,
	} {
		table[o] = domain.Reply{Status: 200, ContentType: "text/plain", Body: "success"}
	}
	return table
}

// parse reads a request that a test made, without judging it.
func parse(r providers.Request) Params {
	raw := string(r.Body)
	if r.Method == "GET" {
		_, raw, _ = strings.Cut(r.Target, "?")
	}
	fields, err := scan(raw, nil)
	if err != nil {
		panic(err)
	}
	return fields
}

// rebuilt is r with other fields.
func rebuilt(r providers.Request, fields Params) providers.Request {
	if r.Method == "GET" {
		path, _, _ := strings.Cut(r.Target, "?")
		r.RawQuery = encode(fields)
		r.Target = path + "?" + r.RawQuery
	} else {
		r.Body = []byte(encode(fields))
	}
	return r
}

// mutants flips every bit of every signed name and value.
func mutants(r providers.Request) iter.Seq[providers.Request] {
	fields := parse(r)
	return func(yield func(providers.Request) bool) {
		for i, p := range fields {
			if p.Value == "" || p.Name == fieldSign || p.Name == fieldSignType {
				continue
			}
			for bit := range (len(p.Name) + len(p.Value)) * 8 {
				mutant := slices.Clone(fields)
				name, value := []byte(p.Name), []byte(p.Value)
				if at := bit / 8; at < len(name) {
					name[at] ^= 1 << (bit % 8)
				} else {
					value[at-len(name)] ^= 1 << (bit % 8)
				}
				mutant[i] = Param{string(name), string(value)}
				if !yield(rebuilt(r, mutant)) {
					return
				}
			}
		}
	}
}

type signer func(Params) Params

// forged makes the forgeries of a channel whose provider signs with sign.
func forged(sign, otherKey, otherAlgorithm signer) map[providertest.Forgery][]providers.Request {
	good := func() Params { return sign(callback()) }
	blankSign := with(good(), Param{"sign", "  "})
	query := encode(good())
	emptyKey := SignMD5(Text(callback()), "")
	return map[providertest.Forgery][]providers.Request{
		providertest.OtherMerchant: {get(sign(callback(Param{"pid", "1002"}))), post(encode(sign(callback(Param{"pid", ""}))))},
		providertest.EmptySign:     {get(callback()), get(with(good(), Param{"sign", ""})), get(blankSign)},
		providertest.EmptyKeySign: {
			get(with(good(), Param{"sign", emptyKey})),
			get(append(callback(), Param{"sign", emptyKey})),
			get(append(callback(), Param{"sign", emptyKey}, Param{"sign_type", "MD5"})),
		},
		providertest.OtherKeySign:   {get(otherKey(callback()))},
		providertest.OtherAlgorithm: {get(otherAlgorithm(callback())), get(with(good(), Param{"sign_type", "SHA256"}))},
		providertest.Duplicates: {
			getRaw(query + "&money=1"), getRaw("money=1&" + query), getRaw(query + "&money=100"), post(query + "&pid=1001"),
			getRaw(query + "&sign=0"), getRaw(query + "&sign_type="),
		},
		providertest.Unreadable: {
			getRaw(""), getRaw(query + "&param=%"), getRaw(query + "&param=%zz"), getRaw(query + "&param=%ff"),
			getRaw(query + "&param=%00"), getRaw(query + "&a[]=1"), getRaw(query + "&=1"), post("{}"), post("\x00"),
			get(sign(callback(Param{"money", "1e2"}))), get(sign(callback(Param{"trade_status", ""}))),
		},
	}
}

// genuine are callbacks for each status, by both methods, with the name of
// their channel.
func genuine(channel domain.ChannelID, sign signer) []providertest.Genuine {
	notice := paid()
	notice.Channel = channel
	closed, doubtful := notice, notice
	closed.Status, closed.ProviderStatus = domain.StatusClosed, "TRADE_CLOSED"
	doubtful.Doubts = []domain.Doubt{domain.DoubtAmbiguousText}
	return []providertest.Genuine{
		{Name: "paid by GET", Request: get(sign(callback())), Notices: []domain.Notice{notice}},
		{Name: "paid by POST", Request: post(encode(sign(callback(Param{"param", "u=7 +%"})))), Notices: []domain.Notice{notice}},
		{Name: "closed", Request: get(sign(callback(Param{"trade_status", "TRADE_CLOSED"}))), Notices: []domain.Notice{closed}},
		{Name: "doubtful", Request: get(sign(callback(Param{"name", "a&b=1"}))), Notices: []domain.Notice{doubtful}},
	}
}

func rsaSigner(t *testing.T) signer {
	return func(fields Params) Params {
		sign, err := SignRSA(Text(fields), testKey())
		if err != nil {
			t.Fatal(err)
		}
		return append(slices.Clone(fields), Param{"sign", sign}, Param{"sign_type", "RSA"})
	}
}

func md5Signer(key string) signer {
	return func(fields Params) Params {
		return append(slices.Clone(fields), Param{"sign", SignMD5(Text(fields), key)}, Param{"sign_type", "MD5"})
	}
}

// returned is a form sent back as a callback.
func returned(form providers.Form) providers.Request {
	var fields Params
	for _, name := range slices.Sorted(maps.Keys(form.Fields)) {
		fields = append(fields, Param{name, form.Fields[name]})
	}
	return get(fields)
}

// amounts makes callbacks over any amount, by both methods.
func amounts(sign signer) func(string) []providers.Request {
	return func(text string) []providers.Request {
		fields := sign(callback(Param{"money", text}))
		return []providers.Request{get(fields), post(encode(fields))}
	}
}

const otherSharedKey = "another-shared-key-0123456789ab"

func TestSuiteV1(t *testing.T) {
	t.Parallel()
	other := configV1()
	other.Key = providers.NewSecret(otherSharedKey)
	sign := md5Signer(sampleKey)
	providertest.Run(t, providertest.Harness{
		Channel:     newChannel(t, configV1()),
		Others:      []providers.Channel{newChannel(t, other), newChannel(t, configV2())},
		Genuine:     genuine("epay-main", sign),
		Mutants:     mutants,
		Forged:      forged(sign, md5Signer(otherSharedKey), rsaSigner(t)),
		Replies:     replies(),
		SuccessWord: "success",
		Secrets:     []string{sampleKey},
		Order:       goodOrder(),
		Returned:    returned,
		Amount:      amounts(sign),
	})
}

// merchantKeyText is the merchant's private key of this test run, when the
// gateway has testKey.
var merchantKeyText = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return bare(x509.MarshalPKCS1PrivateKey(key))
})

func bare(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

// gatewayV2 is a V2 channel whose gateway signs with the key of the test run.
func gatewayV2() Config {
	cfg := configV2()
	cfg.MerchantKey = providers.NewSecret(merchantKeyText())
	cfg.PlatformKey = bare(PublicDER(&testKey().PublicKey))
	return cfg
}

func TestSuiteV2(t *testing.T) {
	t.Parallel()
	sign := rsaSigner(t)
	ours := func(fields Params) Params { // signed by the merchant, not by the gateway
		key, err := ParsePrivateKey(merchantKeyText())
		if err != nil {
			t.Fatal(err)
		}
		s, err := SignRSA(Text(fields), key)
		if err != nil {
			t.Fatal(err)
		}
		return append(slices.Clone(fields), Param{"sign", s}, Param{"sign_type", "RSA"})
	}
	providertest.Run(t, providertest.Harness{
		Channel:     newChannel(t, gatewayV2()),
		Others:      []providers.Channel{newChannel(t, configV1()), newChannel(t, configV2())},
		Genuine:     genuine("epay-rsa", sign),
		Mutants:     mutants,
		Forged:      forged(sign, ours, md5Signer(bare(PublicDER(&testKey().PublicKey)))),
		Replies:     replies(),
		SuccessWord: "success",
		Secrets:     []string{merchantKeyText()},
		Order:       goodOrder(),
		Returned:    returned,
		Amount:      amounts(sign),
	})
}
