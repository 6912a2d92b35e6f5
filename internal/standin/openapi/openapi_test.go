package openapi_test

import (
	"net/http"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/openapi"
)

const runners = "/repos/o/r/actions/runners"

func TestCheck(t *testing.T) {
	t.Parallel()
	label := `{"total_count": 1, "labels": [{"id": 1, "name": "a", "type": "custom"}]}`
	tests := map[string]struct {
		exchange standin.Exchange
		known    bool
		problems int
	}{
		"good": {standin.Exchange{Method: "PUT", Path: runners + "/1/labels", Sent: []byte(`{"labels": ["a"]}`),
			Status: http.StatusOK, Answer: []byte(label)}, true, 0},
		"request of another shape": {standin.Exchange{Method: "PUT", Path: runners + "/1/labels", Sent: []byte(`{"labels": "a"}`),
			Status: http.StatusOK, Answer: []byte(label)}, true, 1},
		"answer lacks keys": {standin.Exchange{Method: "GET", Path: runners, Status: http.StatusOK,
			Answer: []byte(`{"total_count": 1, "runners": [{"id": 1}]}`)}, true, 1},
		"answer of another type": {standin.Exchange{Method: "GET", Path: runners, Status: http.StatusOK,
			Answer: []byte(`{"total_count": "1", "runners": []}`)}, true, 1},
		"no such label type": {standin.Exchange{Method: "GET", Path: runners + "/1/labels", Status: http.StatusOK,
			Answer: []byte(`{"total_count": 1, "labels": [{"name": "a", "type": "odd"}]}`)}, true, 1},
		"null where it may be": {standin.Exchange{Method: "GET", Path: runners + "/1", Status: http.StatusOK,
			Answer: []byte(`{"id":1,"name":"n","os":"linux","status":"online","busy":false,"labels":[],"version":null}`)}, true, 0},
		"null where it may not be": {standin.Exchange{Method: "GET", Path: runners + "/1", Status: http.StatusOK,
			Answer: []byte(`{"id":1,"name":null,"os":"linux","status":"online","busy":false,"labels":[]}`)}, true, 1},
		"unknown parameter": {standin.Exchange{Method: "GET", Path: runners, Query: "per_page=10&nmae=x", Status: http.StatusOK,
			Answer: []byte(`{"total_count": 0, "runners": []}`)}, true, 1},
		"parameter of another type": {standin.Exchange{Method: "GET", Path: runners + "/one", Status: http.StatusNotFound,
			Answer: []byte(`{"message": "Not Found"}`)}, true, 1},
		"literal before parameter": {standin.Exchange{Method: "GET", Path: runners + "/downloads", Status: http.StatusOK,
			Answer: []byte(`[]`)}, true, 0},
		"body where none belongs": {standin.Exchange{Method: "DELETE", Path: runners + "/1", Status: http.StatusNoContent,
			Answer: []byte(`{}`)}, true, 1},
		"status of another kind": {standin.Exchange{Method: "POST", Path: runners + "/remove-token", Status: http.StatusOK,
			Answer: []byte(`{}`)}, true, 1},
		"error not listed": {standin.Exchange{Method: "GET", Path: runners, Status: http.StatusUnauthorized,
			Answer: []byte(`{"message": "Bad credentials", "status": "401"}`)}, true, 0},
		"nothing of the kind": {standin.Exchange{Method: "GET", Path: "/enterprises/e/actions/runners", Status: http.StatusOK}, false, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			known, problems := openapi.GitHub().Check(test.exchange)
			if known != test.known || len(problems) != test.problems {
				t.Errorf("known %v, problems %q; want %v and %d", known, problems, test.known, test.problems)
			}
		})
	}
}

func TestNewRefusesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	if _, err := openapi.New([]byte("paths:")); err == nil {
		t.Error("took YAML for a description")
	}
}
