"""Reads lines {"id", "schema", "texts"}: has llguidance compile each schema and follow each text, and says what it refuses."""
import json
import sys

from llguidance import LLMatcher, LLTokenizer

tokenizer = LLTokenizer("byte")
compiled = refused = followed = stopped = 0
for line in sys.stdin:
    one = json.loads(line)
    grammar = "%llguidance {}\nstart: %json " + json.dumps(one["schema"])
    error = LLMatcher.validate_grammar(grammar)
    if error:
        refused += 1
        print(json.dumps({"id": one["id"], "refused": error[:300]}))
        continue
    compiled += 1
    for text in one["texts"] or []:
        matcher = LLMatcher(tokenizer, grammar, log_level=0)
        tokens = list(text.encode())
        if matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting():
            followed += 1
        else:
            stopped += 1
            print(json.dumps({"id": one["id"], "stopped": text[:300]}))
print(json.dumps({"compiled": compiled, "refused": refused, "followed": followed, "stopped": stopped}))
