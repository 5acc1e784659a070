package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// schema is what the answers are judged by: an invoice with formats, patterns and bounds.
func schema() string {
	return `{"type":"object","properties":{"number":{"type":"string","pattern":"^INV-[0-9]{4,8}$"},"issued":{"type":"string","format":"date"},"currency":{"enum":["EUR","USD","GBP"]},` +
		`"seller":{"$ref":"#/$defs/party"},"buyer":{"$ref":"#/$defs/party"},"lines":{"type":"array","minItems":1,"maxItems":200,"items":{"type":"object","properties":{"sku":{"type":"string","maxLength":40},` +
		`"text":{"type":"string","maxLength":200},"quantity":{"type":"integer","minimum":1},"price":{"type":"number","minimum":0},"amount":{"type":"number","minimum":0}},"required":["sku","text","quantity","price","amount"],` +
		`"additionalProperties":false}},"total":{"type":"number","minimum":0}},"required":["number","issued","currency","seller","buyer","lines","total"],"additionalProperties":false,"$defs":{"party":{"type":"object",` +
		`"properties":{"name":{"type":"string","minLength":1,"maxLength":120},"email":{"type":"string","format":"email"},"city":{"type":"string"}},"required":["name","email","city"],"additionalProperties":false}}}`
}

// invoice is the answer, about 2.7 kB.
func invoice() string {
	var lines []string
	total := 0
	for i := range 24 {
		quantity, price := i%5+1, 10+i*3
		total += quantity * price
		lines = append(lines, fmt.Sprintf(`{"sku":"SKU-%05d","text":"Article %d, blue","quantity":%d,"price":%d.50,"amount":%d.50}`, i*37, i, quantity, price, quantity*price))
	}
	return `{"number":"INV-20417","issued":"2025-01-15","currency":"EUR","seller":{"name":"Nordlicht GmbH","email":"office@nordlicht.example","city":"Bremen"},` +
		`"buyer":{"name":"Anna Meyer","email":"anna@example.org","city":"Köln"},"lines":[` + strings.Join(lines, ",") + fmt.Sprintf(`],"total":%d.50}`, total)
}

const prompt = "Invoice INV-20417 of 2025-01-15 from Nordlicht GmbH, Bremen, to Anna Meyer, Köln: 24 articles as listed below, to be paid within 30 days. Reference " + place + "."

func quoted(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // A string always has a form.
	}
	return string(raw)
}

// analyzeBody is what promptd is asked.
func analyzeBody() string {
	return `{"prompt":` + quoted(prompt) + `,"schema":` + schema() + `,"options":{"cache_ttl":60}}`
}

// plainBody is a chat without a schema.
func plainBody() string {
	return `{"model":"m","messages":[{"role":"system","content":"You answer as briefly as you can."},{"role":"user","content":` + quoted(prompt) + `}],"max_tokens":2048,"temperature":0.1}`
}

// chatBody is about what promptd asks the provider.
func chatBody() string {
	return `{"model":"m","messages":[{"role":"system","content":"You turn text into data. Answer with exactly one JSON value of the required form and with nothing else."},` +
		`{"role":"user","content":` + quoted(prompt) + `}],"max_tokens":2048,"temperature":0.1,"response_format":{"type":"json_schema","json_schema":{"name":"result","strict":true,"schema":` + schema() + `}}}`
}
