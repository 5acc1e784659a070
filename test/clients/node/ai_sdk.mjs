// Vercel's AI SDK with its provider for OpenAI, by both APIs, and with the one for compatible services.
import assert from "node:assert/strict";
import { generateText, streamText, generateObject, streamObject, Output, tool } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { z } from "zod";
import { run } from "./check.mjs";

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY });
const compatible = createOpenAICompatible({
  name: "promptd", baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY, supportsStructuredOutputs: true, includeUsage: true,
});
const schema = z.object({ name: z.string().min(1), age: z.number().int().min(0) });
const models = { responses: openai("scripted/scripted"), chat: openai.chat("scripted/scripted"), compatible: compatible("scripted/scripted") };
const prompt = "Ada is 36.";

const checks = {};
for (const [name, model] of Object.entries(models)) {
  const call = { model, prompt, maxRetries: 0 };
  checks[name + "_text"] = async () => {
    const got = await generateText(call);
    assert(got.text && got.usage.totalTokens > 0, JSON.stringify(got.usage));
  };
  checks[name + "_text_stream"] = async () => {
    const got = streamText({ ...call, onError: ({ error }) => { throw error; } });
    let text = "";
    for await (const piece of got.textStream) text += piece;
    assert(text);
  };
  checks[name + "_object"] = async () => {
    schema.parse((await generateObject({ ...call, schema })).object);
  };
  checks[name + "_output"] = async () => {
    schema.parse((await generateText({ ...call, output: Output.object({ schema }) })).output);
  };
  checks[name + "_object_stream"] = async () => {
    const got = streamObject({ ...call, schema, onError: ({ error }) => { throw error; } });
    for await (const _ of got.partialObjectStream);
    schema.parse(await got.object);
  };
}
checks.chat_tools = async () => {
  const got = await generateText({
    model: models.chat, prompt, maxRetries: 0, tools: { result: tool({ description: "Takes a person.", inputSchema: schema }) },
  });
  schema.parse(got.toolCalls[0].input);
};
checks.chat_forced_tool = async () => {
  const got = await generateText({
    model: models.chat, prompt, maxRetries: 0, toolChoice: "required", tools: { person: tool({ description: "Takes a person.", inputSchema: schema }) },
  });
  schema.parse(got.toolCalls[0].input);
};
await run(checks);
