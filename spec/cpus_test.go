package spec_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/spec"
)

func TestCPUSet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ list, want string }{
		{"", ""}, {"0", "0"}, {"2-5,8", "2-5,8"}, {"8,5,4,3,2", "2-5,8"}, {"0-0", "0"}, {" 1 , 3 \n", "1,3"}, {"1 2 3", "1-3"},
		{"0-3,2-5,5", "0-5"}, {"8191", "8191"}, {"0,2,4", "0,2,4"}, {"007", "7"}, {strings.Repeat("0-8191,", 50), "0-8191"},
	} {
		set, err := spec.ParseCPUs(test.list)
		if err != nil || set.String() != test.want {
			t.Errorf("%.40q: got %s, %v, want %s", test.list, set, err, test.want)
		}
		again, err := spec.ParseCPUs(set.String())
		if err != nil || !again.Equal(set) {
			t.Errorf("%q is not read back as itself: %v, %v", set, again, err)
		}
	}
	for _, list := range []string{"a", "1-", "-1", "1--2", "5-2", "8192", "0-99999999999999999999", "1.5", "0x1", "+1", "1-2-3"} {
		if set, err := spec.ParseCPUs(list); err == nil {
			t.Errorf("%q is read as %s", list, set)
		}
	}
}

func TestCPUSetMembers(t *testing.T) {
	t.Parallel()
	set, err := spec.ParseCPUs("2-4,9")
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(set.All()); !slices.Equal(got, []int{2, 3, 4, 9}) || set.Len() != 4 || !set.Has(9) || set.Has(5) {
		t.Errorf("got %v", got)
	}
}
