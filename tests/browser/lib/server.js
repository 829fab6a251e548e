/** The real server on ports of the system's choice, started and stopped by its process id. */

import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** A debug build that writes its first line on a machine that is busy with browsers. */
const START_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 10_000;

/** @type {Map<string, string>} */
const built = new Map();

/**
 * @param {string} variable names the binary, where one was built already
 * @param {string} crate to build otherwise
 * @param {string} name of its binary
 */
function binary(variable, crate, name) {
  const given = process.env[variable];
  if (given) {
    if (!existsSync(given)) throw new Error(`${variable} names ${given}, which is not there.`);
    return given;
  }
  if (!built.has(crate)) {
    const output = execFileSync('cargo', ['build', '-p', crate, '--bin', name, '--message-format=json-render-diagnostics'], {
      cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 28,
    });
    const artifact = output.split('\n').filter(Boolean).map((line) => JSON.parse(line))
      .findLast((message) => message.reason === 'compiler-artifact' && message.target.name === name && message.executable);
    if (!artifact) throw new Error(`cargo built no ${name}`);
    built.set(crate, artifact.executable);
  }
  return built.get(crate);
}

export const serverBinary = () => binary('SAMPAN_BIN', 'signaling', 'sampan');
export const botBinary = () => binary('SAMPAN_BOT_BIN', 'client-demo', 'sampan-bot');

/**
 * @param {{http?: string, flags?: string[]}} [options] `http`: address and port; port 0 is the system's choice
 * @returns {Promise<{url: string, port: number, log: () => string, stop: (signal?: NodeJS.Signals) => Promise<number | null>}>}
 */
export async function startServer({ http = '127.0.0.1:0', flags = [] } = {}) {
  const child = spawn(serverBinary(), ['--http', http, '--udp-port', '0', '--log', process.env.SAMPAN_LOG ?? 'info', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  const exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  exited.then(() => process.removeListener('exit', killed));

  const url = await new Promise((resolve, reject) => {
    const fail = (why) => {
      killed();
      reject(new Error(`the server ${why}\n${log}`));
    };
    const timer = setTimeout(() => fail('printed no address in time'), START_WITHIN_MS);
    exited.then((code) => fail(`ended with code ${code} before it was ready`));
    const read = (chunk) => {
      log += chunk;
      const address = /page\s+(https?:\/\/\S+)/.exec(log);
      if (!address) return;
      clearTimeout(timer);
      resolve(address[1]);
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', (chunk) => (log += chunk));
  });

  return {
    url,
    port: Number(new URL(url).port),
    log: () => log,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      const timer = setTimeout(killed, STOP_WITHIN_MS);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
  };
}

/**
 * A bad network in front of the server's media, for those whose candidates name it.
 * @param {{log: () => string}} server @param {string[]} flags of `netem-proxy`
 * @returns {Promise<{port: number, stop: () => void}>}
 */
export async function startProxy(server, flags) {
  const media = /UDP 127\.0\.0\.1:(\d+)/.exec(server.log())?.[1];
  const child = spawn(binary('NETEM_PROXY_BIN', 'tests', 'netem-proxy'), ['--to', `127.0.0.1:${media}`, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  child.once('exit', () => process.removeListener('exit', killed));
  const line = await new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', resolve);
    child.once('exit', (code) => reject(new Error(`netem-proxy ended with code ${code}`)));
  });
  return { port: Number(/:(\d+)\s*$/.exec(line)?.[1]), stop: killed };
}

/**
 * The native participant, joined until it is stopped or its time is over.
 * @param {string[]} flags
 * @returns {{finished: Promise<{code: number | null, output: string, log: string}>, stop: (signal?: NodeJS.Signals) => void}}
 */
export function startBot(flags) {
  const child = spawn(botBinary(), flags, { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT });
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  let [output, log] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk) => (log += chunk));
  const finished = new Promise((resolve) => child.once('close', (code) => {
    process.removeListener('exit', killed);
    resolve({ code, output, log });
  }));
  return { finished, stop: (signal = 'SIGTERM') => void child.kill(signal) };
}
