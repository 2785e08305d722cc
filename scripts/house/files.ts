/** The text files of the repository as git would see them, without git: reads the disk, follows no links. */
import { readdirSync, readFileSync } from "node:fs"
import { join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import type { Source } from "./Source.ts"

export const root = fileURLToPath(new URL("../..", import.meta.url))

const skipped = new Set(["node_modules", "dist", ".git", "results", "coverage", ".cache", ".vitest", "tmp"])
const text = /(?:\.(?:ts|mts|mjs|js|json|md|yml|yaml|txt|lua|html|css|sh|npmrc|gitignore)|\/run|LICENSE)$/

const walk = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    if (skipped.has(entry.name)) return []
    if (entry.isDirectory()) return walk(path)
    return entry.isFile() && text.test(path.replaceAll(sep, "/")) ? [path] : []
  })

/** Sources under a folder of the repository (the whole of it by default), by path. Paths count from the root. */
export const sources = (under = "."): ReadonlyArray<Source> =>
  walk(join(root, under))
    .map((path) => ({ path: relative(root, path).replaceAll(sep, "/"), text: readFileSync(path, "utf8") }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
