/** How the internet between two zones is, or inside one, where it is not perfect. */

export interface LinkSettings {
  /** Milliseconds added to every round trip. */
  readonly rttMs: number;
  /** Bytes of the largest packet that passes whole. */
  readonly mtu: number;
  /** Whether senders of larger packets are not told. */
  readonly mtuBlackhole: boolean;
  /** Chance of every packet to be lost, in percent. */
  readonly lossPercent: number;
  /** Decides which packets are lost; absent for chance. */
  readonly seed?: number;
  /** Nothing passes. */
  readonly cut: boolean;
}

export interface LinkRecord extends LinkSettings {
  readonly kind: "link";
  /** The zones joined by `-`. */
  readonly id: string;
  /** `""`: it is of no one zone. */
  readonly zone: "";
  readonly createTime: number;
}
