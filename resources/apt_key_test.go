package resources

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The test's key and its subkey, as gpg(1) lists them.
const (
	testKey    = "7510A7F0353E3D7CD7EA0A209174C6A0617DCC96"
	testSubkey = "9995A33C05083F9A29BF3FBB8A799E90357E13CB"
)

func armouredKey(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/apt/key.asc")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestFingerprints(t *testing.T) {
	t.Parallel()
	armoured := string(armouredKey(t))
	binary, err := dearmour([]byte(armoured))
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{
		"armoured":     armoured,
		"with headers": strings.Replace(armoured, "BLOCK-----\n\n", "BLOCK-----\nVersion: 1\nComment: a b\n\n", 1),
		"CRLF":         strings.ReplaceAll(armoured, "\n", "\r\n"),
		"with prose":   "Our key:\n\n" + armoured + "\nThanks.\n",
		"binary":       string(binary),
	} {
		data, err := dearmour([]byte(key))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		found, err := fingerprints(data)
		if !slices.Equal(found, []string{testKey, testSubkey}) || err != nil {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add(armouredKey(f))
	f.Add([]byte("<!DOCTYPE html><title>404</title>"))
	f.Add([]byte("\xc6\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		binary, err := dearmour(data)
		if err != nil {
			return
		}
		found, err := fingerprints(binary)
		if (err == nil) != (len(found) > 0) {
			t.Errorf("%d fingerprints and %v", len(found), err)
		}
	})
}
