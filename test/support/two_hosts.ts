/** Two hosts on this machine: network namespaces, joined by a pair of virtual Ethernet devices, with a host name each. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runProgram, type JobOptions, type JobResult, type Launcher } from './run_ranks';

const NET = '10.213.7';
const HOSTS = [1, 2] as const;
const addresses = HOSTS.map((host) => `${NET}.${host}`);
const space = (host: number): string => `morphmlp-${process.pid}-${NET}.${host}`;
const device = (host: number): string => `veth${host}`;

/** Runs a command on a host, as ssh does: options, address, words of a shell's command. */
const AGENT = `#!/bin/sh
while [ "\${1#-}" != "$1" ]; do shift; done
host=$1
shift
exec ip netns exec "morphmlp-${process.pid}-$host" unshare --uts sh -c 'hostname "node$0"; exec sh -c "$1"' "\${host##*.}" "$*"
`;

const ip = (...args: string[]): string =>
  execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const pidsOf = (host: number): string[] =>
  spawnSync('ip', ['netns', 'pids', space(host)], { encoding: 'utf8' }).stdout?.match(/\d+/g) ?? [];

/** Options by which a launcher starts one rank on each host by \`agent\`, and sends messages by TCP alone. */
const OPTIONS: Record<string, (agent: string) => readonly string[]> = {
  'Open MPI': (agent) => [
    ...['--host', addresses.map((address) => `${address}:1`).join(), '--mca', 'plm_rsh_agent', agent],
    ...['--mca', 'pml', 'ob1', '--mca', 'btl', 'tcp,self'],
  ],
  MPICH: (agent) => [
    ...['-genv', 'UCX_TLS', 'tcp,self', '-genv', 'FI_PROVIDER', 'tcp'],
    '-hosts',
    addresses.map((address) => `${address}:1`).join(),
    '-launcher',
    'ssh',
    '-launcher-exec',
    agent,
  ],
};

export class TwoHosts {
  readonly #agent: string;

  /** @throws if the system does not allow it, with what `ip` says */
  constructor(folder: string) {
    this.#agent = path.join(folder, 'agent');
    writeFileSync(this.#agent, AGENT);
    chmodSync(this.#agent, 0o755);
    try {
      for (const host of HOSTS) ip('netns', 'add', space(host));
      ip('link', 'add', device(1), 'netns', space(1), 'type', 'veth', 'peer', 'name', device(2), 'netns', space(2));
      for (const host of HOSTS) {
        ip('-n', space(host), 'addr', 'add', `${NET}.${host}/24`, 'dev', device(host));
        for (const name of ['lo', device(host)]) ip('-n', space(host), 'link', 'set', name, 'up');
      }
      execFileSync(this.#agent, [addresses[0]!, 'true'], { stdio: 'ignore' });
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Runs a command with a rank on each host, launched on the first. */
  run(launcher: Launcher, command: readonly string[], options: JobOptions = {}): Promise<JobResult> {
    const words = [
      launcher.program,
      ...launcher.options,
      ...OPTIONS[launcher.name]!(this.#agent),
      '-n',
      '2',
      ...command,
    ];
    const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
    return runProgram(this.#agent, [addresses[0]!, ...quoted], options);
  }

  /** The command lines of what runs on both hosts. */
  running(): string[] {
    return HOSTS.flatMap(pidsOf).map((pid) => spawnSync('ps', ['-o', 'args=', '-p', pid], { encoding: 'utf8' }).stdout);
  }

  /** Bytes that the first host has sent to the second. */
  sent(): number {
    const stats = JSON.parse(ip('-j', '-s', '-n', space(1), 'link', 'show', device(1))) as [
      { stats64: { tx: { bytes: number } } },
    ];
    return stats[0].stats64.tx.bytes;
  }

  /** Takes the cable out: nothing is refused, nothing arrives. */
  cut(): void {
    ip('-n', space(2), 'link', 'set', device(2), 'down');
  }

  /** Removes the hosts, their devices and what still runs on them. */
  remove(): void {
    for (const host of HOSTS) {
      for (const pid of pidsOf(host)) spawnSync('kill', ['-KILL', pid]);
      spawnSync('ip', ['netns', 'del', space(host)]);
    }
  }
}
