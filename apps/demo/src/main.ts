/**
 * `npm start -- [directory] [--search WORD] [--processes N] [--store file:PATH] [--json]`: the concordance. Modules are
 * imported one by one: start-up is a third of the barrel's.
 */
import { homedir } from "node:os"
import { fileURLToPath } from "node:url"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { command, type Place } from "./Cli.ts"
import type { Texts } from "./Setup.ts"
import { Lines } from "./terminal.ts"

/** Sources and guides of the installed effect: real text that everybody has who can run this. */
const effectTexts: Texts = {
  root: fileURLToPath(new URL(".", import.meta.resolve("effect/package.json"))),
  starts: ["src", "ai-docs", "README.md", "AGENTS.md"]
}

const lines = new Lines(process.stderr)

const place: Place = {
  progress: (text, isLast) => lines.show(text, isLast),
  isInteractive: process.stdin.isTTY === true && process.stdout.isTTY === true,
  machine: { platform: process.platform, home: homedir(), env: process.env }
}

const main = Command.run(command(effectTexts, place), { version: "0.1.0" }).pipe(
  Effect.provide(NodeServices.layer),
  Effect.onInterrupt(() => Console.error("interrupted: what is indexed stays, the same command goes on from here"))
)

NodeRuntime.runMain(main)
