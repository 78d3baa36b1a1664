import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A wire between one client and the server that a test can break and mend: what a client sees when a server dies. */
export interface TcpLink {
  readonly url: string;
  /** Breaks every connection and takes no new one. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** Lets nothing through either way, new connections included, and nobody knows: what is on its way arrives after {@link flow}. */
  stall(): void;
  flow(): void;
  close(): Promise<void>;
}

export async function tcpLink(target: { host: string; port: number }): Promise<TcpLink> {
  const sockets = new Set<Socket>();
  /** Each way of each connection. */
  const ways = new Set<readonly [from: Socket, to: Socket]>();
  let server: Server | undefined;
  let isStalled = false;
  const listen = async (port: number): Promise<number> => {
    const made = createServer((inner) => {
      const outer = connect(target.port, target.host);
      for (const socket of [inner, outer]) {
        sockets.add(socket);
        socket.setNoDelay(true);
        socket.on('close', () => {
          sockets.delete(socket);
          inner.destroy();
          outer.destroy();
        });
        socket.on('error', () => {});
      }
      for (const way of [[inner, outer] as const, [outer, inner] as const]) {
        ways.add(way);
        inner.once('close', () => ways.delete(way));
        if (!isStalled) way[0].pipe(way[1]);
      }
    });
    await new Promise<void>((resolve, reject) => made.once('error', reject).listen(port, '127.0.0.1', resolve));
    server = made;
    return (made.address() as AddressInfo).port;
  };
  const cut = async (): Promise<void> => {
    const closing = server && new Promise((resolve) => server?.close(resolve));
    server = undefined;
    for (const socket of sockets) socket.destroy();
    await closing;
  };
  const port = await listen(0);
  return {
    url: `nats://127.0.0.1:${port}`,
    cut,
    mend: async () => {
      if (!server) await listen(port);
    },
    stall: () => {
      isStalled = true;
      for (const [from, to] of ways) from.unpipe(to).pause();
    },
    flow: () => {
      isStalled = false;
      for (const [from, to] of ways) from.pipe(to);
    },
    close: cut,
  };
}
