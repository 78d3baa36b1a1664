import { access, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from './exec.ts';

/**
 * Fetches a package of Debian and unpacks it, installing nothing: needs no root and changes nothing of the system.
 *
 * @param folder - Where to work; the caller removes it.
 * @param suite - A suite such as `testing`, read from the mirror that the machine already uses; by default what the
 * machine itself would install.
 * @returns The folder that holds `usr`, `etc` and so on.
 */
export async function unpackDebianPackage(
  name: string,
  folder: string,
  { suite }: { readonly suite?: string } = {},
): Promise<string> {
  const state = await mkdtemp(join(folder, 'apt-'));
  await mkdir(join(state, 'lists'));
  await mkdir(join(state, 'cache'));
  const options = [
    `Dir::State::Lists=${join(state, 'lists')}`,
    `Dir::Cache=${join(state, 'cache')}`,
    // The user that apt-get would change to may not read our folder; the lists are verified by their signature either way.
    'APT::Sandbox::User=',
    'Acquire::Languages=none',
    'Acquire::Retries=1',
    ...(suite ? await onlySuite(suite, state) : []),
  ].flatMap((option) => ['-o', option]);
  const aptGet = (...args: string[]) =>
    exec('apt-get', ['-q', ...options, ...args], { cwd: state, timeoutMs: 120_000 });
  await aptGet('update', '--error-on=any');
  await aptGet('download', name);
  await exec('sh', ['-c', 'dpkg-deb -x ./*.deb unpacked'], { cwd: state, timeoutMs: 30_000 });
  return join(state, 'unpacked');
}

async function onlySuite(suite: string, state: string): Promise<string[]> {
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const signedBy = await access(keyring).then(
    () => `[signed-by=${keyring}] `,
    () => '',
  );
  const list = join(state, 'sources.list');
  await writeFile(list, `deb ${signedBy}${await debianMirror()} ${suite} main\n`);
  return [`Dir::Etc::SourceList=${list}`, 'Dir::Etc::SourceParts=/dev/null'];
}

async function debianMirror(): Promise<string> {
  const args = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'];
  const targets = await exec('apt-get', args, { timeoutMs: 10_000 });
  const mirror = targets.split('\n').find((uri) => /\/debian\/?$/.test(uri));
  if (!mirror) throw new Error('this machine uses no mirror of Debian');
  return mirror;
}
