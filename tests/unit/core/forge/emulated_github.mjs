// A GitHub by others (`emulate` from npm) on a port: `node emulated_github.mjs API_JS PORT SEED_JSON`. Says "ready"
// on a line, and again whenever a line comes in and all is as it was in the beginning.
import { createInterface } from 'node:readline'

const [api, port, seed] = process.argv.slice(2)
const { createEmulator } = await import(api)
const baseUrl = `http://127.0.0.1:${port}`
const emulator = await createEmulator({ service: 'github', port: Number(port), baseUrl, seed: JSON.parse(seed) })
console.log('ready')
for await (const _ of createInterface({ input: process.stdin })) {
  emulator.reset()
  console.log('ready')
}
await emulator.close()
