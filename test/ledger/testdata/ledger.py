#!/usr/bin/env python3
"""The ledger by hand: what recorded answers cost, without any code of promptd's.

    python3 ledger.py SHARED > ledger.tsv      SHARED is the folder with the recorded exchanges (PROMPTD_SHARED)

It reads rows.tsv beside it, takes the usage out of each answer with json alone, and computes in fractions: tokens times price, summed up, and rounded
once, half to even, to whole nano-dollars. What the services document of their counts (2026-11):

    openai          prompt_tokens has the cached ones and the written ones in it, completion_tokens the reasoning ones. Cached tokens are in
                    prompt_tokens_details.cached_tokens, and beside it as prompt_cache_hit_tokens (DeepSeek) or num_cached_tokens (Mistral, hosts of
                    open models). xAI counts reasoning beside the completion: what the total has beyond prompt and completion is output. Vercel's
                    gateway leaves reasoning out of completion and total, and bills it. Gemini behind this format has thoughts in the total alone, and
                    bills them as output.
    responses       input_tokens has cached and written ones in it, output_tokens the reasoning ones.
    anthropic       input_tokens has neither what was read from the cache nor what was written to it; a stream's last counts are the sums.
    gemini          promptTokenCount has the cached ones in it; what the service's tools fed in is beside it; thoughts are beside the candidates.
    bedrock         inputTokens has neither what was read from the cache nor what was written to it.
    ollama          prompt_eval_count and eval_count.

A price is words as in the catalogue's table, dollars per million tokens: i input, c cached input, w cache write, l cache write kept for an hour, o output,
r reasoning; what is absent costs as much as w, then i, and o. Behind >N stand the prices of calls with more than N input tokens, for the whole call.
The amount is "unknown" where the answer does not say both counts, and where there is no price. Where the service itself tells what it billed, that is
the fifth column: in nano-dollars, or "-".
"""

import json
import pathlib
import sys
from fractions import Fraction

HERE = pathlib.Path(__file__).parent


def read_events(row, shared):
    """The answer as a list of JSON values: one, or those of a stream's events, cut where the row says so."""
    if row["source"].startswith("answers/"):
        text = (HERE / row["source"]).read_text()
        _, body = text.split("\n\n", 1)
        events = [json.loads(line) for line in body.splitlines() if line.strip()] if "x-ndjson" in text else parse(body)
    else:
        response = json.loads((shared / row["source"]).read_text())["response"]
        if "decoded_events" in response:
            events = [{(e["headers"].get(":event-type") or "?"): e["payload"]} for e in response["decoded_events"]]
        elif "chunks" in response:
            events = response["chunks"]
        elif "body_text" in response:
            events = parse(response["body_text"])
        else:
            body = response.get("body")
            events = body if isinstance(body, list) else [body]
    if row["part"] != "whole":
        events = events[: int(row["part"].removeprefix("events:"))]
    return [e for e in events if isinstance(e, dict)]


def parse(text):
    if text.lstrip().startswith("{"):
        return [json.loads(text)]
    found = []
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data and data != "[DONE]":
            found.append(json.loads(data))
    return found


def number(value):
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def openai(events):
    usage = None
    for e in events:
        usage = e.get("usage") or (e.get("x_groq") or {}).get("usage") or usage
    if not usage or number(usage.get("prompt_tokens")) is None or number(usage.get("completion_tokens")) is None:
        return None, usage
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    details = usage.get("prompt_tokens_details") or {}
    cached = max(details.get("cached_tokens") or 0, usage.get("prompt_cache_hit_tokens") or 0, usage.get("num_cached_tokens") or 0)
    written = details.get("cache_write_tokens") or 0
    thoughts = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or usage.get("reasoning_tokens") or 0
    beside = (usage.get("total_tokens") or 0) - prompt - completion
    output = completion
    if beside > 0 and thoughts == 0:
        thoughts = beside
    if beside > 0 and beside == thoughts or thoughts > completion:
        output += thoughts
    return dict(plain=prompt - cached - written, cached=cached, written=written, long=0, output=output, thoughts=thoughts), usage


def responses(events):
    usage = None
    for e in events:
        usage = e.get("usage") or (e.get("response") or {}).get("usage") or usage
    if not usage or number(usage.get("input_tokens")) is None or number(usage.get("output_tokens")) is None:
        return None, usage
    details = usage.get("input_tokens_details") or {}
    cached, written = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    thoughts = (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    return dict(plain=usage["input_tokens"] - cached - written, cached=cached, written=written, long=0, output=usage["output_tokens"], thoughts=thoughts), usage


def anthropic(events):
    usage = {}
    for e in events:
        for part in ((e.get("message") or {}).get("usage") if isinstance(e.get("message"), dict) else None, e.get("usage")):
            usage.update({k: v for k, v in (part or {}).items() if v is not None})
    if number(usage.get("input_tokens")) is None or number(usage.get("output_tokens")) is None:
        return None, usage or None
    written = usage.get("cache_creation_input_tokens") or 0
    long = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    thoughts = (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    return dict(
        plain=usage["input_tokens"], cached=usage.get("cache_read_input_tokens") or 0, written=written, long=long, output=usage["output_tokens"], thoughts=thoughts
    ), usage


def gemini(events):
    usage = None
    for e in events:
        if number((e.get("usageMetadata") or {}).get("promptTokenCount")) is not None:
            usage = e["usageMetadata"]
    if usage is None:
        return None, None
    cached, thoughts = usage.get("cachedContentTokenCount", 0), usage.get("thoughtsTokenCount", 0)
    fed = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
    return dict(plain=fed - cached, cached=cached, written=0, long=0, output=usage.get("candidatesTokenCount", 0) + thoughts, thoughts=thoughts), usage


def bedrock(events):
    usage = None
    for e in events:
        usage = e.get("usage") or (e.get("metadata") or {}).get("usage") or usage
    if not usage or number(usage.get("inputTokens")) is None or number(usage.get("outputTokens")) is None:
        return None, usage
    long = sum(d["inputTokens"] for d in usage.get("cacheDetails") or [] if d.get("ttl") == "1h")
    return dict(
        plain=usage["inputTokens"],
        cached=usage.get("cacheReadInputTokens") or 0,
        written=usage.get("cacheWriteInputTokens") or 0,
        long=long,
        output=usage["outputTokens"],
        thoughts=0,
    ), usage


def ollama(events):
    last = events[-1] if events else {}
    if number(last.get("eval_count")) is None:
        return None, None
    usage = {k: last[k] for k in ("prompt_eval_count", "eval_count") if k in last}
    return dict(plain=usage.get("prompt_eval_count", 0), cached=0, written=0, long=0, output=usage["eval_count"], thoughts=0), usage


READERS = {
    "openai": openai,
    "llamacpp": openai,
    "openai-responses": responses,
    "anthropic": anthropic,
    "gemini": gemini,
    "bedrock": bedrock,
    "ollama": ollama,
}


def rates(price, tokens):
    """The prices that count for a call with so many input tokens."""
    now, bound = {}, -1
    for word in price.split():
        if word.startswith(">"):
            bound = int(word[1:])
        elif tokens > bound:
            now[word[0]] = Fraction(word[1:])
    i, o = now["i"], now["o"]
    w = now.get("w", i)
    return dict(plain=i, cached=now.get("c", i), written=w, long=now.get("l", w), output=o, thoughts=now.get("r", o))


def amount(counts, price):
    if counts is None or price == "-":
        return "unknown"
    rate = rates(price, counts["plain"] + counts["cached"] + counts["written"])
    parts = dict(counts, written=counts["written"] - counts["long"], output=counts["output"] - counts["thoughts"])
    dollars = sum(Fraction(parts[k]) * rate[k] / 1_000_000 for k in parts)
    return str(round(dollars * 1_000_000_000))  # Python rounds a fraction half to even.


def billed(usage):
    """What the service says that it took."""
    if not isinstance(usage, dict):
        return "-"
    if "cost_in_usd_ticks" in usage:  # xAI: a tick is 1e-10 dollars
        return str(round(Fraction(usage["cost_in_usd_ticks"]) / 10))
    if isinstance(usage.get("cost"), (int, float)):  # OpenRouter, Vercel's gateway, Avian: dollars, as a float of few digits
        return str(round(Fraction(str(usage["cost"])) * 1_000_000_000))
    return "-"


def main():
    shared = pathlib.Path(sys.argv[1])
    print("# Made by ledger.py from rows.tsv and the recorded exchanges; do not edit. row, tokens as plain+cached+written(long)/output(thoughts), nano-dollars, billed")
    names = "row dialect source part price note".split()
    for line in (HERE / "rows.tsv").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        row = dict(zip(names, line.split("\t")))
        counts, usage = READERS[row["dialect"]](read_events(row, shared))
        tokens = "-"
        if counts:
            tokens = "{plain}+{cached}+{written}({long})/{output}({thoughts})".format(**counts)
        print("\t".join([row["row"], tokens, amount(counts, row["price"]), billed(usage)]))


if __name__ == "__main__":
    main()
