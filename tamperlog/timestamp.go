package tamperlog

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"

	"counterfoil/domain"
)

// maxStamp bounds the reply of a time stamping authority, in bytes; with its
// chain of certificates one has some six thousand.
const maxStamp = 64 << 10

// TSTInfo is the content that a time stamp token signs (RFC 3161, 2.4.2). An
// authority's signature over anything else is no time stamp.
var contentTSTInfo = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}

// Stamp is what a time stamping authority says of a message: it existed at that
// time.
type Stamp struct {
	Time      time.Time     // by the authority's clock
	Accuracy  time.Duration // of that clock; 0 where it does not say
	Authority string        // the subject of its certificate
	Serial    string        // the authority's number of the stamp
}

// Authority is a time stamping authority by RFC 3161 over HTTP.
type Authority struct {
	URL    string
	Roots  *x509.CertPool // whose certificates count; required
	Client *http.Client   // bounds the time and the addresses; required
}

// Ask has message stamped and returns the authority's reply as it came, a DER
// TimeStampResp, which was checked against Roots. Only the message's SHA-256
// goes to the authority. KindUnavailable: it did not answer, or not with a
// stamp. KindForged: the stamp is not about this question, or nobody of Roots
// vouches for it.
func (a Authority) Ask(ctx context.Context, message []byte) ([]byte, Stamp, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, Stamp{}, domain.E(domain.KindUnavailable, "draw a nonce: %w", err)
	}
	sum := sha256.Sum256(message)
	question, err := (&timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Certificates: true, Nonce: nonce}).Marshal()
	if err != nil {
		return nil, Stamp{}, domain.E(domain.KindInternal, "encode a time stamp request: %w", err)
	}
	reply, err := a.post(ctx, question)
	if err != nil {
		return nil, Stamp{}, err
	}
	token, stamp, err := open(message, reply, a.Roots)
	if err != nil {
		return nil, Stamp{}, err
	}
	if token.Nonce == nil || token.Nonce.Cmp(nonce) != 0 {
		return nil, Stamp{}, domain.E(domain.KindForged, "the time stamp answers another question")
	}
	return reply, stamp, nil
}

func (a Authority) post(ctx context.Context, question []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(question))
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "url", "the time stamping authority's is no address") // not err: it may show a password
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	req.Header.Set("Accept", "application/timestamp-reply")
	res, err := a.Client.Do(req)
	if err != nil {
		if asked, ok := errors.AsType[*url.Error](err); ok {
			err = asked.Err // without the address: whoever is asked by name and password has them in it
		}
		return nil, domain.E(domain.KindUnavailable, "ask %s for a time stamp: %w", req.URL.Host, err)
	}
	defer res.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(res.Body, maxStamp+1))
	switch {
	case err != nil:
		return nil, domain.E(domain.KindUnavailable, "read the time stamp: %w", err)
	case res.StatusCode != http.StatusOK:
		return nil, domain.E(domain.KindUnavailable, "the time stamping authority answered %s", res.Status)
	case len(reply) > maxStamp:
		return nil, domain.E(domain.KindUnavailable, "the time stamp is longer than %d bytes", maxStamp)
	}
	return reply, nil
}

// CheckStamp checks the reply of a time stamping authority against the message
// and those whose certificates count, at the time that the stamp names: a
// certificate that ran out later takes nothing away. KindCorrupt: the reply is
// none. KindForged: it is about another message, or nobody of roots vouches for
// it.
func CheckStamp(message, reply []byte, roots *x509.CertPool) (Stamp, error) {
	_, s, err := open(message, reply, roots)
	return s, err
}

func open(message, reply []byte, roots *x509.CertPool) (*timestamp.Timestamp, Stamp, error) {
	if roots == nil {
		return nil, Stamp{}, domain.EField(domain.KindInvalid, "roots", "a time stamp proves nothing without certificates that count")
	}
	token, p7, err := parse(reply)
	if err != nil {
		return nil, Stamp{}, err
	}
	sum := sha256.Sum256(message)
	if token.HashAlgorithm != crypto.SHA256 || !bytes.Equal(token.HashedMessage, sum[:]) {
		return nil, Stamp{}, domain.E(domain.KindForged, "the time stamp is about other bytes")
	}
	signer, err := signerOf(p7, token.Time, roots)
	if err != nil {
		return nil, Stamp{}, err
	}
	return token, Stamp{
		Time: token.Time.UTC(), Accuracy: token.Accuracy, Authority: signer.Subject.String(), Serial: fmt.Sprintf("%x", token.SerialNumber),
	}, nil
}

// decoding is held while a reply is decoded: pkcs7 counts the depth of what it
// reads in a variable of its package.
var decoding sync.Mutex

// parse reads a reply. What its decoders panic on is no reply.
func parse(reply []byte) (token *timestamp.Timestamp, p7 *pkcs7.PKCS7, err error) {
	decoding.Lock()
	defer decoding.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = domain.E(domain.KindCorrupt, "the time stamp cannot be read")
		}
	}()
	if token, err = timestamp.ParseResponse(reply); err == nil {
		p7, err = pkcs7.Parse(token.RawToken)
	}
	if err != nil {
		return nil, nil, domain.E(domain.KindCorrupt, "the time stamp cannot be read: %w", err)
	}
	return token, p7, nil
}

// signerOf is the certificate behind the stamp, when it counts.
func signerOf(p7 *pkcs7.PKCS7, at time.Time, roots *x509.CertPool) (*x509.Certificate, error) {
	signer := p7.GetOnlySigner()
	var content asn1.ObjectIdentifier
	err := p7.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &content)
	switch {
	case signer == nil:
		return nil, domain.E(domain.KindForged, "the time stamp does not bring the one certificate that signed it")
	case err != nil || !content.Equal(contentTSTInfo):
		return nil, domain.E(domain.KindForged, "what is signed is no time stamp")
	case len(signer.ExtKeyUsage) != 1 || signer.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(signer.UnknownExtKeyUsage) > 0:
		return nil, domain.E(domain.KindForged, "%s may not stamp times", signer.Subject)
	}
	intermediates := x509.NewCertPool()
	for _, c := range p7.Certificates {
		intermediates.AddCert(c)
	}
	err = p7.VerifyWithOpts(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
	if err != nil {
		return nil, domain.E(domain.KindForged, "nobody vouches for the time stamp: %w", err)
	}
	return signer, nil
}

// ReadRoots reads certificates that count from PEM.
func ReadRoots(pem []byte) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, domain.EField(domain.KindInvalid, "roots", "%w", errors.New("there is no certificate in PEM"))
	}
	return roots, nil
}
