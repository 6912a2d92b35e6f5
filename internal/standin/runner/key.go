package runner

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strconv"
	"time"
)

// rsaParams is .credentials_rsaparams: the private key, field by field in base64.
type rsaParams struct {
	D        []byte `json:"d"`
	DP       []byte `json:"dp"`
	DQ       []byte `json:"dq"`
	Exponent []byte `json:"exponent"`
	InverseQ []byte `json:"inverseQ"`
	Modulus  []byte `json:"modulus"`
	P        []byte `json:"p"`
	Q        []byte `json:"q"`
}

// loadKey reads the runner's key from path, or makes one there (mode 0600): a
// key that exists is used again, as the real configure does.
func loadKey(path string) (*rsa.PrivateKey, error) {
	if exists(path) {
		return readKey(path)
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	return key, writeJSON(path, paramsOf(key), 0o600)
}

func newKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

func paramsOf(key *rsa.PrivateKey) rsaParams {
	return rsaParams{
		D: key.D.Bytes(), P: key.Primes[0].Bytes(), Q: key.Primes[1].Bytes(),
		DP: key.Precomputed.Dp.Bytes(), DQ: key.Precomputed.Dq.Bytes(), InverseQ: key.Precomputed.Qinv.Bytes(),
		Modulus: key.N.Bytes(), Exponent: big.NewInt(int64(key.E)).Bytes(),
	}
}

func readKey(path string) (*rsa.PrivateKey, error) {
	var p rsaParams
	if err := readJSON(path, &p); err != nil {
		return nil, fmt.Errorf("cannot read the runner's key: %w", err)
	}
	number := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: number(p.Modulus), E: int(number(p.Exponent).Int64())},
		D:         number(p.D), Primes: []*big.Int{number(p.P), number(p.Q)},
	}
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("cannot use the runner's key: %w", err)
	}
	key.Precompute()
	return key, nil
}

func publicPEM(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err) // an RSA key always has an encoding
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// assertion is the signed statement by which the runner signs in.
func assertion(key *rsa.PrivateKey, clientID, audience string, now time.Time) (string, error) {
	encode := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err) // maps of strings and numbers always encode
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	text := encode(map[string]string{"alg": "RS256", "typ": "JWT"}) + "." + encode(map[string]any{
		"iss": clientID, "sub": clientID, "aud": audience,
		"jti": strconv.FormatInt(now.UnixNano(), 36),
		"nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	})
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
