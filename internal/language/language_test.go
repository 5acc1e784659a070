package language

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestTextWithoutLettersIsUndetermined(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	for _, text := range []string{
		"", " ", "\n\t", "12,400.50", "€ 55", "🙂🙂🙂", "…—!?", "\x00", "\xff\xfe\x80", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "\u0301\u0301",
		"https://example.com/das/ist/ein/test", "john.smith@example.com", "sha256:a3f9c2d17b 0x1f", "```go\nfunc main() { return }\n```",
		"user_id=7&order_id=8", "getElementById", "<div><br/></div>", `{"name": 1, "surname": 2}`,
	} {
		if diff := cmp.Diff(Guess{Code: Undetermined}, d.Detect(text)); diff != "" {
			t.Errorf("Detect(%q) (-want +got):\n%s", text, diff)
		}
	}
}

func TestTextThatSaysTooLittleIsUndetermined(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	for _, text := range []string{"a", "E", "x", "ok", "OK", "AB 12"} {
		if g := d.Detect(text); g.Code != Undetermined || g.Confidence != 0 {
			t.Errorf("Detect(%q) = %v, want no guess", text, g)
		}
	}
}

func TestLettersThatAreNoWordsAreUndetermined(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	for _, text := range []string{
		"xkcd qwrtp zzxq vbnm", "asdfghjkl qwertyuiop", "sdkjfh skdjfh ksjdhf", "цщжх ъьпф кжзщ щшцх", "Ð ÑƒÑÑÐºÐ¾ Ð»Ð°Ñ‚Ð¸Ð½ÑÐºÐ¸Ð¹ ÑÐ»Ð¾Ð²Ð°Ñ€ÑŒ",
	} {
		if g := d.Detect(text); g.Code != Undetermined {
			t.Errorf("Detect(%q) = %v, want no guess", text, g)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	told := 0
	for range 200 {
		letters := make([]byte, 60)
		for i := range letters {
			letters[i] = "abcdefghijklmnopqrstuvwxyz   "[random.IntN(29)]
		}
		if d.Detect(string(letters)).Code != Undetermined {
			told++
		}
	}
	if told > 30 {
		t.Errorf("%d of 200 strings of random letters were told as a language, want at most 30", told)
	}
	t.Logf("%d of 200 strings of random letters were told as a language", told)
}

func TestScriptOfItsOwnTellsTheLanguage(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	for text, want := range map[string]string{
		"የኢትዮጵያ ዋና ከተማ":     "am",
		"བོད་ཡིག":           "bo",
		"ދިވެހިރާއްޖެ":      "dv",
		"ភាសាខ្មែរ":         "km",
		"ಕನ್ನಡ ಭಾಷೆ":        "kn",
		"ພາສາລາວ":           "lo",
		"മലയാളം ഭാഷ":        "ml",
		"မြန်မာဘာသာ":        "my",
		"ଓଡ଼ିଆ ଭାଷା":        "or",
		"සිංහල භාෂාව":       "si",
		"한국어로 대답해 주세요":      "ko",
		"ภาษาไทย":           "th",
		"Ποια είναι η ώρα;": "el",
		"ما اسمك يا صديقي؟": "ar",
		"この文章を要約してください。":    "ja",
		"請將這篇文章翻譯成英文。":      "zh",
		"请把这篇文章翻译成英文。":      "zh",
		"ﻣﺮﺣﺒﺎ":             "ar", // Presentation forms have no symbols, but a script.
		"მოკლედ მიამბეთ ეს": "ka",
		"Շնորհակալություն":  "hy",
		"תודה רבה על העזרה": "he",
		"ধন্যবাদ":           "bn",
		"ਧੰਨਵਾਦ":            "pa",
		"આભાર":              "gu",
		"நன்றி":             "ta",
		"ధన్యవాదాలు":        "te",
	} {
		if got := d.Detect(text).Code; got != want {
			t.Errorf("Detect(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestWhatIsNoProseDoesNotCount(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	const url = "https://www.example.com/please/read/the/whole/page?with=these&and=those"
	for _, c := range []struct{ name, text, want string }{
		{"address", "Bitte prüfe " + url + " und schreibe an support.the.team@example.com", "de"},
		{"address without a space before it", "请看" + url + "的文章", "zh"},
		{"fenced code", "```python\nfor item in the_list: print('hello world, this is the output')\n```\nPourquoi ce code ne marche pas ?", "fr"},
		{"fenced text", "```\nPodsumuj proszę ten tekst\n```", "pl"},
		{"identifiers", "Proč vrací getCustomerByName() hodnotu null a user_name_of_the_order je prázdné?", "cs"},
		{"markup", `<p class="the first paragraph of the page">Kannst du das bitte zusammenfassen?</p>`, "de"},
		{"JSON names", `{"name_of_the_customer": 1, "message": "Bonjour, je voudrais annuler ma commande"}`, "fr"},
		{"numbers", "Tilaus 2024-001, 55.00 EUR, kiitos paljon nopeasta toimituksesta 12:30", "fi"},
		{"keys", "Uważam że klucz sk4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1 jest nieprawidłowy", "pl"},
		{"encoded data", "Ce este asta? dGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZQ== nu înțeleg", "ro"},
	} {
		if got := d.Detect(c.text).Code; got != c.want {
			t.Errorf("%s: Detect(%q) = %s, want %s", c.name, c.text, got, c.want)
		}
	}
}

func TestWordsWithOneInnerCapitalAreProse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"bhFuil": true, "eThekwini": true, "isiZulu": true, "l'Été": true, "16de": true, "and/or": true, "z.B": true, "end.Next": true,
		"getElementById": false, "sha256": false, "snake_case": false, "a=b": false, "/usr/local/bin": false, "x.y": false, "f(x)": false,
		"std::vector": false, "john@example": false, "http://x": false, `"name":`: false, "www.example": false, `C:\temp`: false,
	} {
		if got := isProse(text); got != want {
			t.Errorf("isProse(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestOnlyTheFirstLettersDecide(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	german := strings.Repeat("Bitte fasse den folgenden Text in drei kurzen Sätzen zusammen. ", 7)
	french := strings.Repeat("Le texte suivant est écrit dans une autre langue que le début. ", 200)
	if diff := cmp.Diff(d.Detect(german), d.Detect(german+french)); diff != "" {
		t.Errorf("what follows the first letters changes the guess (-without +with):\n%s", diff)
	}
	if got := d.Detect(german + french).Code; got != "de" {
		t.Errorf("got %s, want de", got)
	}
}

func TestCapitalsDoNotMatter(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	const text = "Будь ласка, напишіть відповідь у двох реченнях"
	for _, s := range []string{text, strings.ToUpper(text), strings.ToLower(text)} {
		if got := d.Detect(s).Code; got != "uk" {
			t.Errorf("Detect(%q) = %s, want uk", s, got)
		}
	}
}

func TestAccentsWrittenApartAreTheSame(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	whole, apart := "Přečtěte si č. 5", "Pr\u030cec\u030cte\u030cte si c\u030c. 5"
	if diff := cmp.Diff(d.Detect(whole), d.Detect(apart)); diff != "" {
		t.Errorf("(-whole +apart):\n%s", diff)
	}
}

func TestNamesDoNotOutweighTheSentence(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	const text = "Wann treffen sich Guðmundur Sigurðsson, Krzysztof Szczepański und Thị Phương Nguyễn heute mit uns in der Stadt?"
	if g := d.Detect(text); g.Code != "de" {
		t.Errorf("got %v, want de", g)
	}
}

func TestDetectorMayBeShared(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	texts := []string{"Where is the station?", "Где находится вокзал?", "駅はどこですか。", "Gdzie jest dworzec?", ""}
	want := make([]Guess, len(texts))
	for i, s := range texts {
		want[i] = d.Detect(s)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range 200 {
				if got := d.Detect(texts[n%len(texts)]); got != want[n%len(texts)] {
					t.Errorf("Detect(%q) = %v beside others, %v alone", texts[n%len(texts)], got, want[n%len(texts)])
					return
				}
			}
		})
	}
	all.Wait()
}

func FuzzDetect(f *testing.F) {
	for _, s := range []string{
		"", "a", "Hello, world", "```", "```go", "<", "<a", "</", `":`, "\xff", "\xe4\xb8", "e\u0301", strings.Repeat("aé", 3000), "ẞ", "İ", "ǅ", "ⅷ", "한", "ｶﾅ", "𠀀",
		strings.Repeat("м", 400),
	} {
		f.Add(s)
	}
	d := newDetector(f)
	f.Fuzz(func(t *testing.T, text string) {
		g := d.Detect(text)
		if math.IsNaN(g.Confidence) || g.Confidence < 0 || g.Confidence > 1 || len(g.Code) < 2 || len(g.Code) > 3 {
			t.Errorf("Detect(%q) = %v", text, g)
		}
		if (g.Code == Undetermined) != (g.Confidence == 0) {
			t.Errorf("Detect(%q) = %v: a guess has a confidence, and no guess has none", text, g)
		}
		if g != d.Detect(text) {
			t.Errorf("Detect(%q) differs from one time to the next", text)
		}
		if p := prefix(text); len(p) > 3*sampleBytes || utf8.ValidString(text) && !utf8.ValidString(p) {
			t.Errorf("prefix(%q) has %d bytes, or breaks a letter", text, len(p))
		}
	})
}
