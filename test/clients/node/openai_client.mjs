// The official Node client. OPENAI_BASE_URL and OPENAI_API_KEY are all that it is told.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat, zodFunction } from "openai/helpers/zod";
import { z } from "zod";
import { run } from "./check.mjs";

const client = new OpenAI({ maxRetries: 0 });
const model = "scripted/scripted";
const messages = [{ role: "system", content: "You are terse." }, { role: "user", content: "Say hello." }];
const Person = z.object({ name: z.string().min(1), age: z.number().int().min(0), nick: z.string().nullable() });

await run({
  async models() {
    const ids = [];
    for await (const m of client.models.list()) ids.push(m.id);
    assert(ids.includes(model), ids.join());
  },
  async chat() {
    const got = await client.chat.completions.create({ model: "auto", messages });
    assert(got.choices[0].message.content);
    assert.equal(got.usage.total_tokens, got.usage.prompt_tokens + got.usage.completion_tokens);
  },
  async chatStream() {
    let text = "";
    for await (const c of await client.chat.completions.create({ model, messages, stream: true })) text += c.choices[0]?.delta?.content ?? "";
    assert(text);
  },
  async toolsPassThrough() {
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const got = await client.chat.completions.create({ model, messages, tools: [{ type: "function", function: { name: "result", parameters } }] });
    assert.equal(got.choices[0].message.tool_calls[0].function.name, "result");
  },
  async parse() {
    const got = await client.chat.completions.parse({ model: "flaky/scripted", messages, response_format: zodResponseFormat(Person, "person"), promptd: { max_attempts: 10 } });
    Person.parse(got.choices[0].message.parsed);
    assert.equal(got.promptd.validation_status, "passed");
  },
  async parseStream() {
    const stream = client.chat.completions.stream({ model, messages, response_format: zodResponseFormat(Person, "person") });
    let pieces = 0;
    stream.on("content.delta", () => pieces++);
    const got = await stream.finalChatCompletion();
    Person.parse(got.choices[0].message.parsed);
    assert(pieces > 0);
  },
  async forcedTool() {
    const got = await client.chat.completions.parse({ model, messages, tools: [zodFunction({ name: "person", parameters: Person })], tool_choice: "required" });
    Person.parse(got.choices[0].message.tool_calls[0].function.parsed_arguments);
  },
  async responses() {
    const got = await client.responses.create({ model, input: "Say hello." });
    assert(got.output_text);
  },
  async responsesParse() {
    const got = await client.responses.parse({ model: "flaky/scripted", input: messages, text: { format: zodTextFormat(Person, "person") }, promptd: { max_attempts: 10 } });
    Person.parse(got.output_parsed);
  },
  async responsesStream() {
    const stream = client.responses.stream({ model, input: "Say hello.", text: { format: zodTextFormat(Person, "person") } });
    for await (const _ of stream);
    Person.parse((await stream.finalResponse()).output_parsed);
  },
  async errors() {
    const wrong = { type: "json_schema", json_schema: { name: "a", schema: { type: "object", properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false } } };
    const fails = async (request, status, code, options = {}) => {
      try {
        await new OpenAI({ maxRetries: 0, ...options }).chat.completions.create(request);
      } catch (e) {
        assert(e instanceof OpenAI.APIError, String(e));
        assert.equal(e.status, status);
        assert.equal(e.code, code);
        return e;
      }
      assert.fail("nothing was refused");
    };
    await fails({ model, messages }, 401, "invalid_api_key", { apiKey: "pd_live_wrong" });
    await fails({ model: "nobody's", messages }, 404, "model_not_found");
    const e = await fails({ model: "wrong/scripted", messages, response_format: wrong, promptd: { max_attempts: 2 } }, 422, "validation_failed");
    assert(e.error.promptd.validation.errors.length > 0);
  },
});
