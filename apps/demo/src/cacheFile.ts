/** Where the index of a directory is kept unless a store is named: one file each in the cache directory of the system. */
import { createHash } from "node:crypto"
import { basename, isAbsolute, join } from "node:path"

/** The machine, as far as this depends on it. */
export interface Machine {
  readonly platform: string
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** `XDG_CACHE_HOME` (relative ones are to be ignored, says its standard), or what the system has for it. */
export const cacheDirectory = ({ env, home, platform }: Machine): string => {
  const named = env["XDG_CACHE_HOME"]
  if (named !== undefined && isAbsolute(named)) return named
  if (platform === "darwin") return join(home, "Library", "Caches")
  if (platform === "win32") return env["LOCALAPPDATA"] ?? join(home, "AppData", "Local")
  return join(home, ".cache")
}

/** One file for one directory and the places in it; the name of the directory is there for people. */
export const cacheFile = (machine: Machine, root: string, starts: ReadonlyArray<string>): string => {
  const hash = createHash("sha256")
    .update([root, ...starts].join("\0"))
    .digest("hex")
    .slice(0, 12)
  const name = basename(root).replaceAll(/[^\w.-]/g, "_")
  return join(cacheDirectory(machine), "weft", `${name === "" ? "root" : name}-${hash}.weft`)
}
