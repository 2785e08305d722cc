/**
 * `npm run check:effect`: the diagnostics of Effect's own language service over every source and test, without patching
 * the installed compiler. Errors and warnings fail; each that is left has a comment `@effect-diagnostics-next-line` with
 * the reason beside it. Writes nothing.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { root } from "./house/files.ts"

/** Rules that would be wrong for this code base, with the reason. Everything else keeps its default. */
const severities: Readonly<Record<string, "off">> = {}

const { status } = spawnSync(
  "effect-tsgo",
  [
    "diagnostics",
    "--project",
    join(root, "tsconfig.json"),
    "--lspconfig",
    JSON.stringify({ diagnosticSeverity: severities }),
    "--severity",
    "error,warning",
    "--strict",
    "--format",
    "text"
  ],
  { cwd: root, stdio: "inherit", shell: process.platform === "win32" }
)
process.exitCode = status ?? 1
