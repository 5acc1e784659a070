package main

import (
	"encoding/json"
	"strconv"
	"strings"
)

// schema is what answers are judged by, on both sides.
const schema = `{"type":"object","properties":{"order":{"type":"string","pattern":"^ORD-[0-9]{6}$"},"category":{"enum":["delivery","payment","return","other"]},` +
	`"urgent":{"type":"boolean"},"amount":{"type":"number","minimum":0},"placed":{"type":"string","format":"date"},"summary":{"type":"string","maxLength":200}},` +
	`"required":["order","category","urgent","amount","placed","summary"],"additionalProperties":false}`

// answer is what the provider gives to every prompt.
const answer = `{"order":"ORD-204417","category":"delivery","urgent":true,"amount":129.5,"placed":"2025-01-15","summary":"The parcel has not arrived within two weeks; the customer wants it sent again."}`

// place stands for the number that makes each prompt another one; its width is fixed.
const place = "0000000000"

const prompt = "Ticket " + place + ": my order ORD-204417 of 15 January 2025 for 129.50 has still not arrived after two weeks. Please send it again today or give me my money back!"

// text is a prompt in JSON; the number makes it another one.
func text(number int64) string {
	digits := strconv.FormatInt(number, 10)
	raw, err := json.Marshal(strings.Replace(prompt, place, place[len(digits):]+digits, 1))
	if err != nil {
		panic(err) // A string always has a form.
	}
	return string(raw)
}

// body is a request of promptd's.
func body(number int64, options string) string {
	return `{"prompt":` + text(number) + `,"schema":` + schema + `,"options":` + options + `}`
}
