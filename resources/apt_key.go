package resources

import (
	"bytes"
	"crypto/sha1" // the fingerprint of a version 4 key is defined as SHA-1 (RFC 4880, 12.2)
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
)

// An openPGP keyring is a row of packets (RFC 4880, section 4). Only the packet
// headers and public keys are read here; whether a signature is good is for
// apt to say.

const (
	tagPublicKey    = 6
	tagPublicSubkey = 14
)

var errNoKey = errors.New("it is no OpenPGP key")

// dearmour returns a key in binary form, whether it came armoured or not.
func dearmour(key []byte) ([]byte, error) {
	_, text, armoured := bytes.Cut(key, []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----"))
	if !armoured {
		return key, nil
	}
	text, _, ended := bytes.Cut(text, []byte("-----END PGP PUBLIC KEY BLOCK-----"))
	if !ended {
		return nil, errNoKey
	}
	var body strings.Builder
	headers := true
	for line := range strings.Lines(strings.TrimLeft(string(text), "\r\n")) {
		line = strings.TrimSpace(line)
		switch {
		case headers && (line == "" || strings.Contains(line, ": ")):
			headers = line != "" // an empty line ends "Version: ..." and friends
		case strings.HasPrefix(line, "="): // the checksum, which protects against typing errors
		default:
			headers = false
			body.WriteString(line)
		}
	}
	data, err := base64.StdEncoding.DecodeString(body.String())
	if err != nil {
		return nil, errNoKey
	}
	return data, nil
}

// fingerprints returns those of every key and subkey of a binary keyring, in
// upper-case hex.
func fingerprints(keyring []byte) ([]string, error) {
	var found []string
	for len(keyring) > 0 {
		tag, body, rest, err := nextPacket(keyring)
		if err != nil {
			return nil, err
		}
		keyring = rest
		if (tag == tagPublicKey || tag == tagPublicSubkey) && len(body) > 0 && body[0] == 4 {
			h := sha1.New()
			h.Write([]byte{0x99, byte(len(body) >> 8), byte(len(body))})
			h.Write(body)
			found = append(found, strings.ToUpper(hex.EncodeToString(h.Sum(nil))))
		}
	}
	if len(found) == 0 {
		return nil, errNoKey
	}
	return found, nil
}

// nextPacket takes one packet off, with an old or a new header. Partial and
// indeterminate lengths do not occur in keys.
func nextPacket(data []byte) (tag int, body, rest []byte, err error) {
	if len(data) < 2 || data[0]&0x80 == 0 {
		return 0, nil, nil, errNoKey
	}
	head, length := 0, 0
	if data[0]&0x40 != 0 {
		tag = int(data[0] & 0x3f)
		head, length = newLength(data)
	} else {
		tag = int(data[0] >> 2 & 0x0f)
		head, length = oldLength(data)
	}
	if head == 0 || length < 0 || length > len(data)-head {
		return 0, nil, nil, errNoKey
	}
	return tag, data[head : head+length], data[head+length:], nil
}

func oldLength(data []byte) (head, length int) {
	switch kind := data[0] & 3; {
	case kind == 0:
		return 2, int(data[1])
	case kind == 1 && len(data) >= 3:
		return 3, int(binary.BigEndian.Uint16(data[1:]))
	case kind == 2 && len(data) >= 5:
		return 5, int(binary.BigEndian.Uint32(data[1:]))
	}
	return 0, 0
}

func newLength(data []byte) (head, length int) {
	switch first := data[1]; {
	case first < 192:
		return 2, int(first)
	case first < 224 && len(data) >= 3:
		return 3, int(first-192)<<8 + int(data[2]) + 192
	case first == 255 && len(data) >= 6:
		return 6, int(binary.BigEndian.Uint32(data[2:]))
	}
	return 0, 0
}
