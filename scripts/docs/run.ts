/**
 * Compiles and runs the blocks of documents. Writes below the folder it is given, which has to be inside the repository
 * (so that packages are found) and outside of node_modules (where Node strips no types).
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { root } from "../house/files.ts"
import type { Block } from "./blocks.ts"

const RUN_SECONDS_MAX = 60

const nameOf = (block: Block): string =>
  `${block.document.replaceAll("/", "__").replace(/\.md$/, "")}__${block.line}.ts`

/** Puts each block into a file of its own. An empty export makes a module of a block that imports nothing. */
export const write = (blocks: ReadonlyArray<Block>, folder: string): void => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const block of blocks) writeFileSync(join(folder, nameOf(block)), `${block.code}\nexport {}\n`)
  const base = relative(folder, join(root, "tsconfig.base.json")).replaceAll("\\", "/")
  const options = { noEmit: true, typeRoots: [join(root, "node_modules", "@types")] }
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: base, compilerOptions: options, include: ["*.ts"] }, null, 2)
  )
  writeFileSync(join(folder, "package.json"), `{ "type": "module", "private": true }\n`)
}

/** What tsc says of each block, with the lines of the document. Blocks without errors have an empty list. */
export const compile = (blocks: ReadonlyArray<Block>, folder: string): ReadonlyMap<Block, ReadonlyArray<string>> => {
  if (blocks.length === 0) return new Map()
  const { stderr, stdout } = spawnSync("tsc", ["-p", folder, "--pretty", "false"], {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32"
  })
  const lines = `${stdout}${stderr}`.split("\n").filter((line) => line.trim() !== "")
  const claimed = new Set<string>()
  const result = new Map<Block, ReadonlyArray<string>>()
  for (const block of blocks) {
    const mine = lines.filter((line) => line.includes(`${nameOf(block)}(`))
    for (const line of mine) claimed.add(line)
    result.set(
      block,
      mine.map((line) => line.replace(/^.*\.ts\((\d+),(\d+)\)/, `${block.document}:$1:$2`))
    )
  }
  const rest = lines.filter((line) => !claimed.has(line) && line.includes("error"))
  if (rest.length > 0) throw new Error(`tsc failed outside of the documents:\n${rest.join("\n")}`)
  return result
}

export interface Ran {
  readonly exitCode: number | null
  readonly printed: ReadonlyArray<string>
  readonly errors: string
}

/** Runs one block that has been written, as a program of its own. */
export const run = (block: Block, folder: string): Ran => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(folder, nameOf(block))], {
    cwd: folder,
    encoding: "utf8",
    timeout: RUN_SECONDS_MAX * 1000
  })
  const printed = stdout.split("\n").slice(0, stdout.endsWith("\n") ? -1 : undefined)
  return { exitCode: status, printed, errors: stderr }
}
