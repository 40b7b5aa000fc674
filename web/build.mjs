// Builds the pages: each one file with script and style inside, and hashes of both in its content security policy, so that nothing else can
// run in it. Usage: node build.mjs FOLDER.

import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "dist");

// Each is src/pages/NAME.tsx in src/pages/NAME.html; and what it may connect to.
const PAGES = { compare: "'none'", dashboard: "'self'", "find-max": "'none'", report: "'none'" };

async function bundle(name) {
  const result = await build({
    entryPoints: [join(here, "src", "pages", `${name}.tsx`)],
    bundle: true,
    minify: true,
    write: false,
    outdir: out,
    format: "iife",
    target: ["chrome100", "firefox100", "safari15.4"],
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  });
  const text = (ending) => result.outputFiles.find((file) => file.path.endsWith(ending))?.text ?? "";
  // A script ends where the parser sees its end, in whatever string.
  return { script: text(".js").replaceAll("</script", "<\\/script"), style: text(".css") };
}

// What the licences of the libraries in the page ask for.
async function notices() {
  const { dependencies } = JSON.parse(await readFile(join(here, "package.json"), "utf8"));
  const shipped = Object.keys(dependencies).filter((name) => name !== "esbuild");
  const texts = shipped.map(async (name) => {
    const licence = await readFile(join(here, "node_modules", name, "LICENSE"), "utf8");
    return `${name}\n\n${licence.trim()}`;
  });
  return (await Promise.all(texts)).join("\n\n").replaceAll("--", "- -");
}

const hash = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;

async function page(name, connections) {
  const { script, style } = await bundle(name);
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "img-src data:",
    `connect-src ${connections}`,
    "base-uri 'none'",
    "form-action 'none'",
  ];
  const marks = { POLICY: policy.join("; "), STYLE: style, SCRIPT: script, NOTICES: await notices() };
  const html = await readFile(join(here, "src", "pages", `${name}.html`), "utf8");
  return html.replace(/%%(POLICY|STYLE|SCRIPT|NOTICES)%%/g, (_, mark) => marks[mark]);
}

await mkdir(out, { recursive: true });
for (const [name, connections] of Object.entries(PAGES)) {
  await writeFile(join(out, `${name}.html`), await page(name, connections));
}
