/** CommonJS packages for a page: all that the entry requires, in one script. No minifying, no cleverness. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** @param {string} name of a package @returns {string} a script that sets `window.required` to what the package exports */
export function bundled(name) {
  /** @type {Map<string, {source: string, requires: Record<string, string>}>} */
  const files = new Map();
  const add = (file) => {
    if (files.has(file)) return;
    const source = readFileSync(file, 'utf8');
    const names = [...source.matchAll(/\brequire\(\s*['"]([^'"]+)['"]\s*\)/g)].map(([, one]) => one);
    // With the slash the package is meant where Node has a module of the same name.
    const resolve = (one) => createRequire(file).resolve(/^[./]/.test(one) ? one : `${one}/`);
    const requires = Object.fromEntries(names.map((one) => [one, resolve(one)]));
    files.set(file, { source, requires });
    Object.values(requires).forEach(add);
  };
  const entry = createRequire(import.meta.url).resolve(name);
  add(entry);
  const table = [...files].map(([file, { source, requires }]) =>
    `${JSON.stringify(file)}: { requires: ${JSON.stringify(requires)}, run(module, exports, require) {\n${source}\n} }`);
  return `{
    const files = { ${table.join(',\n')} };
    const load = (file) => {
      const one = files[file];
      if (!one.module) one.run(one.module = { exports: {} }, one.module.exports, (name) => load(one.requires[name]));
      return one.module.exports;
    };
    window.required = load(${JSON.stringify(entry)});
  }`;
}
