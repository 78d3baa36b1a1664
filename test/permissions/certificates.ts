import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
// What @peculiar/x509 is put together by wants it first.
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const keys = () => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
const from = (ms: number) => new Date(Date.now() + ms);
const validity = { notBefore: from(-3_600_000), notAfter: from(3_600_000) };

/** Files in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority of one's own that makes certificates for this machine, good for an hour. */
export async function authority(
  folder: string,
): Promise<{ ca: string; issue: (name: string) => Promise<Certificate> }> {
  const pair = await keys();
  const root = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: '01',
    name: 'CN=Synod test authority',
    keys: pair,
    signingAlgorithm: algorithm,
    extensions: [new BasicConstraintsExtension(true, 1, true)],
  });
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, root.toString('pem'));
  let serial = 1;
  return {
    ca,
    issue: async (name) => {
      const own = await keys();
      const made = await X509CertificateGenerator.create({
        ...validity,
        serialNumber: String(++serial).padStart(2, '0'),
        subject: `CN=${name}`,
        issuer: root.subject,
        publicKey: own.publicKey,
        signingKey: pair.privateKey,
        signingAlgorithm: algorithm,
        extensions: [
          // A client that turns to TLS when the server asks for it does not know the address as a name.
          new SubjectAlternativeNameExtension([
            { type: 'ip', value: '127.0.0.1' },
            { type: 'dns', value: 'localhost' },
          ]),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        ],
      });
      const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}-key.pem`) };
      await writeFile(files.cert, made.toString('pem'));
      const bytes = await crypto.subtle.exportKey('pkcs8', own.privateKey);
      await writeFile(files.key, PemConverter.encode(bytes, 'PRIVATE KEY'));
      return files;
    },
  };
}
