package figures

import "testing"

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		samples []float64
		want    float64
	}{{[]float64{7}, 7}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := Median(test.samples); got != test.want {
			t.Errorf("%v: %v, want %v", test.samples, got, test.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	samples := []float64{4, 1, 3, 2}
	for _, test := range []struct{ q, want float64 }{{0, 1}, {0.25, 1}, {0.5, 2}, {0.99, 4}, {1, 4}} {
		if got := Quantile(samples, test.q); got != test.want {
			t.Errorf("%v: %v, want %v", test.q, got, test.want)
		}
	}
}

func TestGoal(t *testing.T) {
	if got := (Goal{"x", true}).String() + (Goal{"y", false}).String(); got != "x: holdsy: missed" {
		t.Error(got)
	}
}
