import java.io.ByteArrayInputStream;
import java.nio.file.*;
import java.security.Provider;
import java.security.Security;
import java.security.cert.*;
import java.util.*;

// Validates one certificate under one root, as an ordinary Java client does.
//   java Validate.java crl  JDK|BC root.pem leaf.pem list.der[,list.der…]
//   java Validate.java ocsp JDK    root.pem leaf.pem response.der
// Several checks can be asked for at once, separated by "--". Each prints one line:
// VALID, or the reason for which it is not.
public class Validate {
    public static void main(String[] args) throws Exception {
        List<String> one = new ArrayList<>();
        for (String a : args) {
            if (a.equals("--")) { check(one); one.clear(); } else { one.add(a); }
        }
        check(one);
    }

    static void check(List<String> a) throws Exception {
        CertificateFactory f = CertificateFactory.getInstance("X.509");
        X509Certificate root = (X509Certificate) f.generateCertificate(Files.newInputStream(Path.of(a.get(2))));
        X509Certificate leaf = (X509Certificate) f.generateCertificate(Files.newInputStream(Path.of(a.get(3))));
        PKIXParameters p = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        CertPathValidator v = CertPathValidator.getInstance("PKIX");
        if (a.get(1).equals("BC")) {
            Provider bc = (Provider) Class.forName("org.bouncycastle.jce.provider.BouncyCastleProvider").getConstructor().newInstance();
            Security.addProvider(bc);
            v = CertPathValidator.getInstance("PKIX", "BC");
        }
        if (a.get(0).equals("crl")) {
            List<CRL> lists = new ArrayList<>();
            for (String name : a.get(4).split(",")) {
                lists.add(f.generateCRL(Files.newInputStream(Path.of(name))));
            }
            p.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(lists)));
        } else {
            PKIXRevocationChecker r = (PKIXRevocationChecker) v.getRevocationChecker();
            r.setOcspResponses(Map.of(leaf, Files.readAllBytes(Path.of(a.get(4)))));
            r.setOptions(Set.of(PKIXRevocationChecker.Option.NO_FALLBACK));
            p.addCertPathChecker(r);
        }
        try {
            v.validate(f.generateCertPath(List.of(leaf)), p);
            System.out.println("VALID");
        } catch (CertPathValidatorException e) {
            String why = String.valueOf(e.getReason());
            if (e.getCause() instanceof CertificateRevokedException r) {
                why = "REVOKED " + r.getRevocationReason();
            }
            System.out.println(why + " " + String.valueOf(e.getMessage()).replace('\n', ' '));
        }
    }
}
