// The reference JSONata: reads one {expression} a line from stdin, writes one {value} or {error} a line.
"use strict";
const jsonata = require("jsonata");

async function answer(line) {
  try {
    const value = await jsonata(JSON.parse(line).expression).evaluate(undefined);
    return { value: value === undefined ? null : value };
  } catch (error) {
    return { error: String(error.message) };
  }
}

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", async (line) => console.log(JSON.stringify(await answer(line))));
