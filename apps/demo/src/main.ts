/**
 * `npm start -- [directory] [--search WORD] [--workers N] [--store memory] [--json]`: the concordance. Modules are imported
 * one by one: start-up is a third of the barrel's.
 */
import { fileURLToPath } from "node:url"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { command, type Screen, type Texts } from "./Cli.ts"

/** Sources and guides of the installed effect: real text that everybody has who can run this. */
const effectTexts: Texts = {
  root: fileURLToPath(new URL(".", import.meta.resolve("effect/package.json"))),
  starts: ["src", "ai-docs", "README.md", "AGENTS.md"]
}

/** A line that overwrites itself on a terminal; elsewhere only its last state, so that a log stays a log. */
const showProgress = (text: string, isLast: boolean): void => {
  if (process.stderr.isTTY)
    process.stderr.write(`\r${text.slice(0, process.stderr.columns - 1)}\u001b[K${isLast ? "\n" : ""}`)
  else if (isLast) process.stderr.write(`${text}\n`)
}

const screen: Screen = {
  progress: showProgress,
  isInteractive: process.stdin.isTTY === true && process.stdout.isTTY === true
}

const main = Command.run(command(effectTexts, screen), { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer))

NodeRuntime.runMain(main)
