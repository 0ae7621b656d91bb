// Runs templates with Go's own text/template: one JSON case per line in, one JSON result per line out.
// With an argument, a number, it renders each case as often and answers with microseconds per render.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"text/template"
	"time"
)

type testCase struct {
	Name    string          `json:"name"`
	Text    string          `json:"text"`
	Missing string          `json:"missing"`
	Data    json.RawMessage `json:"data"`
}

type result struct {
	Out string `json:"out"`
	Err string `json:"err"`
}

// value reads data that says its types: {"i": "3"}, {"u": "3"}, {"f": "1.5"}, {"s": "x"}, {"b": true}, {"n": true},
// {"l": [...]}, {"m": {...}}, {"y": "bytes"}.
func value(raw json.RawMessage) any {
	var node map[string]json.RawMessage
	check(json.Unmarshal(raw, &node))
	for kind, inner := range node {
		var text string
		switch kind {
		case "i", "u", "f", "s", "y":
			check(json.Unmarshal(inner, &text))
		}
		switch kind {
		case "i":
			number, err := strconv.Atoi(text)
			check(err)
			return number
		case "u":
			number, err := strconv.ParseUint(text, 10, 64)
			check(err)
			return uint(number)
		case "f":
			number, err := strconv.ParseFloat(text, 64)
			check(err)
			return number
		case "s":
			return text
		case "y":
			return []byte(text)
		case "b":
			var truth bool
			check(json.Unmarshal(inner, &truth))
			return truth
		case "l":
			var items []json.RawMessage
			check(json.Unmarshal(inner, &items))
			list := make([]any, len(items))
			for at, item := range items {
				list[at] = value(item)
			}
			return list
		case "m":
			var items map[string]json.RawMessage
			check(json.Unmarshal(inner, &items))
			found := make(map[string]any)
			for key, item := range items {
				found[key] = value(item)
			}
			return found
		}
	}
	return nil
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

var functions = template.FuncMap{
	"upper": strings.ToUpper,
	"add":   func(a, b int) int { return a + b },
	"half":  func(a float64) float64 { return a / 2 },
	"echo":  func(a any) any { return a },
	"count": func(items ...any) int { return len(items) },
	"join":  func(sep string, items ...string) string { return strings.Join(items, sep) },
	"null":  func() any { return nil },
	"fail":  func(text string) (string, error) { return "", errors.New(text) },
}

func run(given testCase) (found result) {
	parsed, err := template.New(given.Name).Funcs(functions).Option("missingkey=" + given.Missing).Parse(given.Text)
	if err != nil {
		return result{Err: err.Error()}
	}
	var out strings.Builder
	if err := parsed.Execute(&out, value(given.Data)); err != nil {
		return result{Err: err.Error()}
	}
	return result{Out: out.String()}
}

// timed renders a case many times and returns microseconds per render as the output.
func timed(given testCase, times int) result {
	parsed := template.Must(template.New(given.Name).Funcs(functions).Parse(given.Text))
	data := value(given.Data)
	var out strings.Builder
	start := time.Now()
	for range make([]struct{}, times) {
		out.Reset()
		check(parsed.Execute(&out, data))
	}
	return result{Out: strconv.FormatFloat(float64(time.Since(start).Microseconds())/float64(times), 'f', 1, 64)}
}

func main() {
	times := 0
	if len(os.Args) > 1 {
		number, err := strconv.Atoi(os.Args[1])
		check(err)
		times = number
	}
	lines := bufio.NewReader(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var given testCase
		check(json.Unmarshal(line, &given))
		if times > 0 {
			check(answers.Encode(timed(given, times)))
			continue
		}
		check(answers.Encode(run(given)))
	}
}
