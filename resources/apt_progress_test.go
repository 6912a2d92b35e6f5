package resources

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

func TestAptSaysWhatAPersonWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said []string
		p := newAptProgress(func(line string) { said = append(said, line) }, 30*time.Second)
		defer p.close()
		for _, step := range []struct {
			line string
			wait time.Duration
		}{
			{"waiting for benchctl-apt.service, which an earlier run left at work", 0},
			{"Reading package lists...", 40 * time.Second}, // for apt's lock, say
			{"2 upgraded, 41 newly installed, 0 to remove and 3 not upgraded.", 0},
			{"Need to get 92.1 MB of archives.", 0},
			{"Get:1 http://deb.example/debian trixie/main amd64 libicu76 amd64 76.1-4 [9722 kB]", time.Second},
			{"Get:2 http://deb.example/debian trixie/main amd64 openjdk-21-jre-headless amd64 21.0.9 [42.1 MB]", 65 * time.Second},
			{"Unpacking libicu76:amd64 (76.1-4) ...", time.Second},
			{"Unpacking openjdk-21-jre-headless (21.0.9) ...", 0},
			{"Setting up libicu76:amd64 (76.1-4) ...", time.Second},
		} {
			p.line(step.line)
			time.Sleep(step.wait)
			synctest.Wait()
		}
		want := []string{
			"waiting for benchctl-apt.service, which an earlier run left at work", "still at work", "2 upgraded, 41 newly installed, 0 to remove and 3 not upgraded.", "Need to get 92.1 MB of archives.",
			"fetching packages", "still fetching packages: openjdk-21-jre-headless is number 2", "still fetching packages: openjdk-21-jre-headless is number 2",
			"unpacking packages", "setting packages up",
		}
		if !slices.Equal(said, want) {
			t.Errorf("it said %q, want %q", said, want)
		}
	})
}

func TestDownloadsSayHowFarTheyAre(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said []string
		ctx := reconcile.WithProgress(t.Context(), func(line string) { said = append(said, line) })
		known, unknown := percent(ctx, "unpacking runner 2.336.0"), percent(ctx, "unpacking the JDK")
		for i := range int64(40) {
			known(i*5e6, 200e6)
			unknown(i*5e6, -1)
			time.Sleep(time.Second)
		}
		if want := []string{"unpacking runner 2.336.0: 75 % of 200 MB", "unpacking the JDK: 150 MB"}; !slices.Equal(said, want) {
			t.Errorf("it said %q, want %q", said, want)
		}
	})
}
