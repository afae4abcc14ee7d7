// The reference JSONata: reads [{expression, states}, ...] from stdin, writes [{value} or {error}, ...].
"use strict";
const jsonata = require("jsonata");

async function evaluate({ expression, states }) {
  try {
    const value = await jsonata(expression).evaluate(null, { states });
    return { value: value === undefined ? null : value };
  } catch (error) {
    return { error: String(error.message) };
  }
}

let text = "";
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", async () => {
  process.stdout.write(JSON.stringify(await Promise.all(JSON.parse(text).map(evaluate))));
});
